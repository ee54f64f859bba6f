"""What keeps an episode or a reset from beginning now, as one sentence for the person who asked."""

from collections.abc import Mapping
from uuid import UUID

import numpy as np

from robot_rl.config import Task
from robot_rl.config.section import Triple
from robot_rl.daemon.actor.episode import EpisodeState, Rules, step
from robot_rl.daemon.actor.episode_events import Plan, RequestRefused, StartRequested
from robot_rl.daemon.actor.ports import ActorPorts
from robot_rl.daemon.actor.record import text_of
from robot_rl.daemon.actor.sensors import Sensors
from robot_rl.schema.episode import Purpose
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.telemetry import EpisodeStage
from safety.faults import FaultCode, arm_called, sentence
from safety.vocabulary import Mode

_NONE = UUID(int=0)
START_NEAR_M = 0.03
"""Start-state check: this far may the TCP be from the start pose."""


class Refusals:
    """Each answers with the first reason, or None when nothing is in the way."""

    def __init__(self, task: Task, sensors: Sensors, ports: ActorPorts) -> None:
        self._task, self._senses, self._ports = task, sensors, ports

    def of_motion(self, sender: FromClient) -> str | None:
        """As `of_driving_home`; and the robot begins nothing while somebody drives."""
        if refusal := self.of_driving_home(sender):
            return refusal
        if self._ports.mode() is Mode.TAKEOVER:
            return "Somebody is driving; end the takeover first."
        return None

    def of_driving_home(self, sender: FromClient) -> str | None:
        """The lease holder decides; a latched robot moves for no request.

        A label may come from the one who drives: it ends the takeover, then the arm drives home.
        """
        control = self._ports.control.read()
        holder = bytes(control["lease_client"])
        if any(holder) and holder != sender.client_id.bytes:
            return f"{text_of(control['lease_holder'])} holds the lease."
        mode = self._ports.mode()
        if mode in (Mode.STOPPED, Mode.FAULT):
            return f"The robot is latched: {text_of(control['cause'])} Clear it first."
        return None

    def of_start(self) -> str | None:
        """What else keeps an episode from starting."""
        mode = self._ports.mode()
        if mode is not Mode.IDLE:
            return f"An episode starts from idle; the robot is {mode}."
        if problem := self._ports.not_recording():
            return problem
        if lost := self._senses.lost():
            return sentence(FaultCode.CAMERA_LOST, camera=lost[0])
        truth = self._senses.truth()
        if truth is None:
            return self._away_from(self._starts())
        # The simulated arm is the cell's only one.
        start: Triple = tuple(truth["start_position"].tolist())
        return self._away_from(dict.fromkeys(self._starts(), start))

    def of_next(self, state: EpisodeState, rules: Rules) -> str | None:
        """While ready: what a request to start would be answered now, whoever asks."""
        if state.stage is not EpisodeStage.READY:
            return None
        seed = state.next_seed if state.placed_seed is None else state.placed_seed
        plan = Plan(episode_id=_NONE, purpose=Purpose.TRAINING, seed=seed, policy_version=None)
        request = StartRequested(plan=plan, refusal=self.of_start())
        _, effects = step(state, request, rules)
        return next((each.reason for each in effects if isinstance(each, RequestRefused)), None)

    def of_confirmation(self) -> str | None:
        """A scene is ready only when the arm is out of its way."""
        return self._away_from(self._starts())

    def _starts(self) -> dict[str, Triple]:
        return {name: arm.home_position_m for name, arm in self._task.arms.items()}

    def _away_from(self, starts_m: Mapping[str, Triple]) -> str | None:
        arms = self._senses.arms()
        for name, start_m in starts_m.items():
            called = arm_called(name)
            if bad := arms[name].not_finite:
                problem = f"not finite: {', '.join(bad)}"
                return sentence(FaultCode.ARM_UNUSABLE, arm=called, problem=problem)
            off_m = float(np.linalg.norm(arms[name].position_m - np.array(start_m)))
            if off_m > START_NEAR_M:
                return (
                    f"{called} is {off_m * 1e3:.0f} mm from its start pose; begin the reset first."
                )
        return None
