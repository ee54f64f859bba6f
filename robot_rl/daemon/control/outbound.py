"""What control has to tell after a tick: results, events, latch changes, effects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from robot_rl.daemon.messages import ControlEvent, GoHome
from robot_rl.schema.live.client_message import Drive, Ready
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult, StopProgress
from safety import modes


@dataclass(slots=True, kw_only=True)
class Outbound:
    """It piles up here; `drain` takes it away."""

    results: list[CommandResult | StopProgress] = field(default_factory=list)
    events: list[ControlEvent] = field(default_factory=list)
    latch: list[modes.Latch] = field(default_factory=list)
    pressed: list[Mapping[str, str]] = field(default_factory=list)  # to be kept on the disk
    effects: list[modes.Effect] = field(default_factory=list)  # for the gate and the chunk plan
    go_home: GoHome | None = None
    clear_arm: bool = False

    def drain(self) -> Self:
        """All there is; nothing of it is left here."""
        drained = type(self)(
            results=self.results,
            events=self.events,
            latch=self.latch,
            pressed=self.pressed,
            effects=self.effects,
            go_home=self.go_home,
            clear_arm=self.clear_arm,
        )
        self.results, self.events, self.latch, self.effects = [], [], [], []
        self.pressed = []
        self.go_home, self.clear_arm = None, False
        return drained

    def extend(self, later: Self) -> None:
        """Add what piled up after this was drained."""
        self.results += later.results
        self.events += later.events
        self.latch += later.latch
        self.pressed += later.pressed
        self.effects += later.effects
        self.go_home = later.go_home or self.go_home
        self.clear_arm |= later.clear_arm

    def answer(self, sender: FromClient, reason: str, now_ns: int) -> None:
        """A request was carried out, or refused for this reason."""
        message = sender.message
        if isinstance(message, Drive | Ready):
            return
        self.results.append(
            CommandResult(
                request_id=message.request_id,
                client_id=sender.client_id,
                command=message.kind,
                accepted=not reason,
                reason=reason,
                t_ns=now_ns,
            )
        )
