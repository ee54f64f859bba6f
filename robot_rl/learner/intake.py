"""From feed items to the replay: segments, their features, and what must stay outside."""

import hashlib
from collections.abc import Callable, Iterator
from uuid import UUID

import numpy as np

from robot_rl.config.task import Task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.feed import Delivery
from robot_rl.learner.replay import Replay
from robot_rl.policy.images import observe
from robot_rl.policy.interface import Backbone, BadObservation
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Provenance,
    Purpose,
)
from robot_rl.schema.feed import Excluded, FeedItem, InterventionDecided, Relabelled
from robot_rl.schema.segment import BadSegment, RecordedStep, decode_segment
from robot_rl.schema.transition import TRAINED_ON


class Intake:
    """Feeds one replay. Items come in feed order, from the first one on."""

    def __init__(
        self,
        task: Task,
        task_sha256: str,
        backbone: Backbone,
        replay: Replay,
        say: Callable[[str], None],
    ) -> None:
        self._task, self._task_sha256 = task, task_sha256
        self._backbone, self._replay, self._say = backbone, replay, say
        self._provenance: Provenance | None = None
        self._instructions: dict[UUID, str] = {}
        self.cursor = 0
        self.history = ""  # of everything up to the cursor: another database has another one

    def take(self, delivery: Delivery) -> Iterator[int]:
        """Enter an item; yields the number of training steps after each record that added one."""
        event = delivery.item.event
        replay = self._replay
        if isinstance(event, EpisodeStarted):
            self._start(event)
        elif replay.holds(event.episode_id):
            if isinstance(event, EpisodeEnded):
                if event.complete:
                    replay.end(
                        event.episode_id,
                        event.outcome,
                        event.steps,
                        failure_class=event.failure_class,
                    )
            elif isinstance(event, InterventionEnded):
                replay.complete(event.intervention_id, event.correction_steps)
            elif isinstance(event, InterventionDecided):
                replay.decide(event.intervention_id, event.use)
            elif isinstance(event, Relabelled):
                replay.relabel(event.episode_id, event.outcome)
            elif isinstance(event, Excluded):
                replay.exclude(event.episode_id, event.excluded)
            elif delivery.segment is not None and replay.wants(event.episode_id):
                yield from self._steps(event.episode_id, delivery.segment)
        self.cursor = delivery.item.number
        self.history = _continued(self.history, delivery.item)

    def _start(self, event: EpisodeStarted) -> None:
        if event.purpose not in TRAINED_ON:
            return
        reason = self._foreign(event.provenance)
        if reason:
            self._say(f"episode {event.episode_id} is left out of training: {reason}")
            return
        self._instructions[event.episode_id] = event.instruction
        demonstration = event.purpose is Purpose.DEMONSTRATION
        self._replay.start(event.episode_id, demonstration=demonstration)

    def _foreign(self, provenance: Provenance) -> str:
        """Why an episode must not be mixed with the others; empty when it may."""
        if provenance.task_sha256 != self._task_sha256:
            return (
                f"it was recorded with another version of the task file {self._task.path.name}; "
                "start the learner with that version to train on it"
            )
        known = self._provenance
        if known is None:
            self._provenance = provenance
            return ""
        for what, own, other in (
            ("cell file", known.cell_sha256, provenance.cell_sha256),
            ("calibration", known.calibration_sha256, provenance.calibration_sha256),
        ):
            if own != other:
                return (
                    f"it was recorded with another {what} than the episodes before it; "
                    "train on the new data with a new database"
                )
        return ""

    def _steps(self, episode_id: UUID, data: bytes) -> Iterator[int]:
        try:
            records = decode_segment(data)
        except BadSegment as error:
            self._say(f"a segment of episode {episode_id} is left out of training: {error}")
            return
        for record in records:
            before = self._replay.received
            self._add(episode_id, record)
            if self._replay.received > before:
                yield self._replay.received

    def _add(self, episode_id: UUID, record: RecordedStep) -> None:
        """A record that nobody saw is kept too: how the episode ended may stand in it."""
        step = record.step
        try:
            observation = observe(record, self._instructions[episode_id], self._backbone.cameras)
            features, seen = self._backbone.features(observation), True
        except BadObservation as error:
            self._say(f"a step of episode {episode_id} cannot be trained on: {error}")
            features, seen = np.zeros(self._backbone.size, np.float32), False
        trajectory = Trajectory.of(
            [step], np.asarray(features)[None], action=self._task.action.size, seen=[seen]
        )
        self._replay.add(episode_id, step.index, trajectory, [step.intervention_id])


def _continued(history: str, item: FeedItem) -> str:
    """A hash over the items so far, by what never changes with the form that they are sent in."""
    fact = f"{history} {item.number} {item.event.kind} {item.event.episode_id}"
    return hashlib.sha256(fact.encode()).hexdigest()
