"""From feed items to the replay: segments, their features, and what must stay outside."""

import hashlib
from collections.abc import Callable, Iterator
from uuid import UUID

from robot_rl.learner.encoder import Delivery
from robot_rl.learner.replay import Replay
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Purpose,
)
from robot_rl.schema.feed import (
    Excluded,
    FeedItem,
    IdentityAdmitted,
    InterventionDecided,
    Relabelled,
)
from robot_rl.schema.transition import TRAINED_ON


class Intake:
    """Feeds one replay. Items come in feed order, from the first one on."""

    def __init__(self, replay: Replay, say: Callable[[str], None]) -> None:
        self._left_out: set[str] = set()  # identities that were said to be left out
        self._replay, self._say = replay, say
        self.cursor = 0
        self.history = ""  # of everything up to the cursor: another database has another one

    def take(self, delivery: Delivery) -> Iterator[int]:
        """Enter an item; yields the number of training steps after each record that added one."""
        event = delivery.item.event
        replay = self._replay
        if isinstance(event, EpisodeStarted):
            self._start(event, delivery.difference)
        elif not isinstance(event, IdentityAdmitted) and replay.holds(event.episode_id):
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
            elif replay.wants(event.episode_id):
                yield from self._steps(event.episode_id, delivery)
        self.cursor = delivery.item.number
        self.history = _continued(self.history, delivery.item)

    def _start(self, event: EpisodeStarted, difference: str) -> None:
        if event.purpose not in TRAINED_ON:
            return
        if difference:
            self._leave_out(event, difference)
            return
        demonstration = event.purpose is Purpose.DEMONSTRATION
        self._replay.start(event.episode_id, demonstration=demonstration)

    def _leave_out(self, event: EpisodeStarted, difference: str) -> None:
        """Said once for all episodes of an identity."""
        sha256 = event.provenance.data_sha256
        if sha256 not in self._left_out:
            self._left_out.add(sha256)
            self._say(
                f"data recorded with {difference} is left out of training; an engineer can admit "
                f"it: robot-rl episodes admit --task {event.task} {sha256[:12]}"
            )

    def _steps(self, episode_id: UUID, delivery: Delivery) -> Iterator[int]:
        encoded = delivery.encoded
        for problem in (delivery.problem,) if encoded is None else encoded.problems:
            if problem:
                self._say(problem)
        if encoded is None:
            return
        replay = self._replay
        for offset, intervention in enumerate(encoded.interventions):
            before = replay.received
            record = encoded.trajectory.part(offset, offset + 1)
            replay.add(episode_id, encoded.first_index + offset, record, [intervention])
            if replay.received > before:
                yield replay.received


def _continued(history: str, item: FeedItem) -> str:
    """A hash over the items so far, by what never changes with the form that they are sent in."""
    event = item.event
    what = event.identity_sha256 if isinstance(event, IdentityAdmitted) else event.episode_id
    fact = f"{history} {item.number} {event.kind} {what}"
    return hashlib.sha256(fact.encode()).hexdigest()
