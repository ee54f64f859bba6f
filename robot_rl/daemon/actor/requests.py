"""What people ask of the actor: carried out, or answered with the reason why not."""

from collections.abc import Callable

from robot_rl.config import Task
from robot_rl.daemon.actor import episode_events as events
from robot_rl.daemon.actor.episode_events import Plan
from robot_rl.daemon.actor.machine import EpisodeMachine
from robot_rl.daemon.actor.policy import PolicyHolder, PolicyUnavailable
from robot_rl.daemon.actor.ports import ActorPorts
from robot_rl.daemon.actor.refusals import Refusals
from robot_rl.daemon.request_age import late, too_late
from robot_rl.schema.episode import Purpose
from robot_rl.schema.live.client_message import (
    BeginReset,
    ConfirmReset,
    Drive,
    Label,
    Ready,
    StartEpisode,
)
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import new_id


class Requests:
    """`begin`: an episode begins, of this plan, for this person, at this time."""

    def __init__(
        self,
        task: Task,
        machine: EpisodeMachine,
        refusals: Refusals,
        policy: PolicyHolder,
        ports: ActorPorts,
        begin: Callable[[Plan, str, int], None],
    ) -> None:
        self._task, self._machine, self._refusals = task, machine, refusals
        self._policy, self._ports, self._begin = policy, ports, begin

    def answer(self, sender: FromClient, now_ns: int) -> None:
        message = sender.message
        if isinstance(message, Drive | Ready):
            return
        reason = too_late(message, now_ns) or self._carry_out(sender, now_ns)
        self._ports.answer(sender, message, reason or "", now_ns)

    def _carry_out(self, sender: FromClient, now_ns: int) -> str | None:
        """Do what a person asks, or say why not."""
        message = sender.message
        match message:
            case StartEpisode():
                return self._start(sender, message, now_ns)
            case Label():
                return self._label(sender, message, now_ns)
            case BeginReset(seed=seed):
                refusal = self._refusals.of_motion(sender)
                return self._machine.step(events.ResetRequested(seed=seed, refusal=refusal))
            case ConfirmReset():
                refusal = self._refusals.of_motion(sender) or self._refusals.of_confirmation()
                return self._machine.step(events.ResetConfirmed(by=sender.user, refusal=refusal))
            case _:
                return f"The request {message.kind} is not one that the actor can carry out."

    def _start(self, sender: FromClient, wanted: StartEpisode, now_ns: int) -> str | None:
        placed = self._machine.state.placed_seed
        seed = wanted.seed if wanted.seed is not None else placed
        version = wanted.policy_version
        if version is None and wanted.purpose is Purpose.EVALUATION:
            version = self._policy.version  # evaluation freezes the weights
        plan = Plan(
            episode_id=new_id(),
            purpose=wanted.purpose,
            seed=self._machine.state.next_seed if seed is None else seed,
            policy_version=version,
        )
        refusal = self._refusals.of_motion(sender) or self._refusals.of_start()
        before = self._machine.state
        reason = self._machine.step(events.StartRequested(plan=plan, refusal=refusal))
        if reason is not None:
            return reason
        try:
            self._policy.begin(plan, self._machine.state.number)
        except PolicyUnavailable as error:
            self._machine.state = before
            return str(error)
        self._begin(plan, sender.user, now_ns)
        return None

    def _label(self, sender: FromClient, label: Label, now_ns: int) -> str | None:
        """What a person saw counts whoever they are and whenever it arrives; motion does not."""
        if (
            label.failure_class is not None
            and label.failure_class not in self._task.failure_classes
        ):
            known = ", ".join(self._task.failure_classes)
            return f"{label.failure_class!r} is no failure class of {self._task.name}: {known}."
        return self._machine.step(
            events.Labelled(
                outcome=label.outcome,
                by=sender.user,
                failure_class=label.failure_class,
                note=label.note,
                refusal=late(label, now_ns) or self._refusals.of_driving_home(sender),
            )
        )
