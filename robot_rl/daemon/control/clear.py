"""Clearing a latch: a person's act, refused while the cause persists, that never starts motion.

An arm that brakes by itself is first given a reference at its own pose and then asked to leave its
brake. Only when it has left it, without a fault, is the latch taken off and the request answered.
Until then the robot stays latched, so that nothing can begin and no fault is overlooked.
"""

from dataclasses import dataclass

from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.mode_machine import ModeMachine
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.control.stop import StopReport
from robot_rl.schema.live.robot_command import FromClient
from safety import modes

ASK_ARM_AFTER_NS = 150_000_000
"""The reference decays to the arm first (100 ms); only then is the arm asked."""
PATIENCE_NS = 1_000_000_000
"""An arm that still brakes after this has a cause that persists."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    sender: FromClient
    ask_arm_ns: int
    deadline_ns: int
    asked: bool = False


class Clearing:
    """State: the clear that waits for the arm."""

    def __init__(self, out: Outbound, machine: ModeMachine, stop_report: StopReport) -> None:
        self._out, self._machine, self._stop_report = out, machine, stop_report
        self._waiting: _Waiting | None = None

    def request(self, sender: FromClient, arm: ArmCondition, now_ns: int, *, latched: bool) -> None:
        """Carry out or refuse a clear, or begin one that is answered when the arm has obeyed."""
        if self._waiting is not None:
            refused = "A clear is being carried out already; wait for its answer."
            self._out.answer(sender, refused, now_ns)
            return
        if not latched or arm.obstacle is not None or arm.stopped is None:
            self._finish(sender, arm.obstacle, now_ns)
            return
        self._waiting = _Waiting(
            sender=sender,
            ask_arm_ns=now_ns + ASK_ARM_AFTER_NS,
            deadline_ns=now_ns + PATIENCE_NS,
        )
        self._out.effects.append(modes.DecayReference())

    def tick(self, arm: ArmCondition, now_ns: int) -> None:
        """Go on with a clear that waits for the arm."""
        waiting = self._waiting
        if waiting is None:
            return
        if arm.unusable is None and arm.stopped is None:
            self._waiting = None
            self._finish(waiting.sender, None, now_ns)
        elif arm.unusable is not None or now_ns >= waiting.deadline_ns:
            self._waiting = None
            self._finish(waiting.sender, arm.unusable or arm.stopped, now_ns)
        elif not waiting.asked and now_ns >= waiting.ask_arm_ns:
            waiting.asked = self._out.clear_arm = True

    def void(self, why: str, now_ns: int) -> None:
        """The robot has another reason to be latched: a clear that is under way counts no more."""
        if self._waiting is not None:
            self._out.answer(self._waiting.sender, why, now_ns)
            self._waiting = None

    def _finish(self, sender: FromClient, cause: str | None, now_ns: int) -> None:
        event = modes.ClearRequested(by=sender.user, cause=cause)
        refused = self._machine.apply(event, now_ns, sender.user)
        if refused is None:
            self._stop_report.cleared()
        self._out.answer(sender, refused or "", now_ns)
