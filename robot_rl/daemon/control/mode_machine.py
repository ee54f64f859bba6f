"""The robot's mode as control keeps it: safety.modes decides, here its effects are passed on."""

from collections.abc import Callable

from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.messages import ModeChanged
from safety import modes
from safety.modes import ModeState

type Listener = Callable[[modes.Event, ModeState, ModeState, int], None]
"""Called with event, state before, state after and time (ns), before anything is told."""


class ModeMachine:
    """State: the mode. Latches, events and effects go to the outbound."""

    def __init__(self, state: ModeState, out: Outbound) -> None:
        self.state = state
        self.listener: Listener | None = None
        self._out = out

    def apply(self, event: modes.Event, now_ns: int, by: str) -> str | None:
        """Step by an event in somebody's name; a refusal comes back as its sentence."""
        before = self.state
        self.state, effects = modes.step(before, event, now_ns)
        if self.listener is not None:
            self.listener(event, before, self.state, now_ns)
        refused: str | None = None
        for effect in effects:
            match effect:
                case modes.EventRefused(reason=reason):
                    refused = reason
                case modes.PersistLatch(latch=latch):
                    self._out.latch.append(latch)
                case modes.Changed():
                    self._out.events.append(self._changed(before, by, now_ns))
                case _:
                    self._out.effects.append(effect)
        return refused

    def _changed(self, before: ModeState, by: str, now_ns: int) -> ModeChanged:
        return ModeChanged(
            mode=self.state.mode,
            previous=before.mode,
            cause=self.state.cause or "",
            fault=self.state.fault,
            by=by,
            t_ns=now_ns,
        )
