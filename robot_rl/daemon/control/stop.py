"""How far a software stop has come: received → braking → stopped. The mode itself is elsewhere."""

from dataclasses import dataclass, replace

from robot_rl.daemon.control.outbound import Outbound
from robot_rl.schema.live.robot_message import StopProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A software stop on its way."""

    by: str
    received_ns: int
    braking_ns: int | None = None
    stopped_ns: int | None = None


class StopReport:
    """State: the stop on its way, or the one that nobody has cleared yet."""

    def __init__(self, out: Outbound) -> None:
        self.stopping: Stopping | None = None
        self._out = out

    def begin(self, by: str, now_ns: int) -> None:
        self.stopping = Stopping(by=by, received_ns=now_ns)

    def sent(self, now_ns: int) -> None:
        """A command left for the arm: the first one after a stop begins to brake."""
        if self.stopping is not None and self.stopping.braking_ns is None:
            self._tell(replace(self.stopping, braking_ns=now_ns))

    def at_rest(self, now_ns: int) -> None:
        """The arm stands still; before it began to brake that says nothing of the stop."""
        stopping = self.stopping
        if stopping is None or stopping.braking_ns is None or stopping.stopped_ns is not None:
            return
        self._tell(replace(stopping, stopped_ns=now_ns))

    def cleared(self) -> None:
        self.stopping = None

    def _tell(self, stopping: Stopping) -> None:
        self.stopping = stopping
        if stopping.braking_ns is not None:
            self._out.results.append(
                StopProgress(
                    by=stopping.by,
                    received_t_ns=stopping.received_ns,
                    braking_t_ns=stopping.braking_ns,
                    stopped_t_ns=stopping.stopped_ns,
                )
            )
