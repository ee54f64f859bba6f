"""What the networks make of one observation: the policy's chunk, the classifier's probability."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robot_rl.config import Task
from robot_rl.daemon.actor.policy import PolicyHolder
from robot_rl.daemon.actor.sensors import SensorReading
from robot_rl.policy.images import decode_jpeg
from robot_rl.policy.interface import BadObservation, Chunk, Observation
from robot_rl.policy.success_classifier import SuccessClassifier
from robot_rl.schema.step import state_names_of, state_vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the success classifier says of one moment; `done`: it is one of success."""

    probability: float
    done: bool


class Inference:
    """State: the pictures of the newest observation, and what was said about not seeing."""

    def __init__(
        self,
        task: Task,
        policy: PolicyHolder,
        classifier: SuccessClassifier | None,
        say: Callable[[str], None],
    ) -> None:
        self._task, self._policy, self._classifier, self._say = task, policy, classifier, say
        self._decoded: tuple[int, Observation] | None = None  # T_k, what was seen
        self._blind = ""  # why the policy sees nothing now
        self.judging_s = 0.0  # that the classifier took last

    def judge(self, reading: SensorReading) -> Judged | None:
        """None without a classifier, and where it cannot see."""
        classifier = self._classifier
        if classifier is None or reading.not_finite or reading.stale:
            return None
        try:
            images = self._observation(reading).images
            began = time.perf_counter()
            probability = classifier.probability(images)
        except BadObservation:
            return None  # the policy says why
        self.judging_s = time.perf_counter() - began
        return Judged(probability=probability, done=probability >= classifier.threshold)

    def act(self, reading: SensorReading) -> Chunk | None:
        """What the policy decides; None when it cannot see. Said when it changes, not per step."""
        why = f"no fresh image of {', '.join(reading.stale)}" if reading.stale else ""
        if bad := reading.not_finite:
            why = f"the arm's measurement is not finite: {bad}"
        chunk = None
        if not why:
            try:
                chunk = self._policy.act(self._observation(reading))
            except BadObservation as error:
                why = str(error)
        if why != self._blind:
            self._say(f"the policy cannot see: {why}" if why else "the policy sees again")
            self._blind = why
        return chunk

    def _observation(self, reading: SensorReading) -> Observation:
        """Decoded once for both. Raises BadObservation."""
        if self._decoded is None or self._decoded[0] != reading.grid_ns:
            arms = reading.observations
            observation = Observation(
                images={
                    name: decode_jpeg(reading.frames[name].jpeg) for name in self._task.cameras
                },
                state=np.array(state_vector(arms)),
                state_names=state_names_of(arms),
                instruction=self._task.instruction,
                t_ns=reading.grid_ns,
            )
            self._decoded = (reading.grid_ns, observation)
        return self._decoded[1]
