"""What was trained becomes a version: judged when it is due, then published or kept as refused."""

import logging
from collections.abc import Callable
from pathlib import Path

from robot_rl.config.task import Task
from robot_rl.learner.algorithm import Algorithm, Metrics
from robot_rl.learner.disk import in_words
from robot_rl.learner.fitness import Fitness
from robot_rl.learner.last_good import LastGood
from robot_rl.learner.pace import PublishingPace
from robot_rl.learner.publish import Publisher, interventions_text
from robot_rl.learner.refused import keep_refused
from robot_rl.learner.replay import Replay
from robot_rl.learner.risk.release import RiskRelease
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.weights import encode_head
from robot_rl.schema.policy import Update

_log = logging.getLogger(__name__)


class Releases:
    """State: the pace of publishing, and why the newest candidate was not fit to act."""

    def __init__(
        self,
        task: Task,
        refused_folder: Path,
        backbone_sha256: str,
        algorithm: Algorithm,
        replay: Replay,
        publisher: Publisher,
        fitness: Fitness,
        good: LastGood,
        risk: RiskRelease | None,
        read: Callable[[], Metrics],
        *,
        lockstep: bool,
    ) -> None:
        """`read`: the newest losses, after all that waited were read; training may have gone back
        then.
        """
        self._folder, self._backbone_sha256 = refused_folder, backbone_sha256
        self._algorithm, self._replay = algorithm, replay
        self._publisher, self._fitness, self._good = publisher, fitness, good
        self._risk, self._read = risk, read
        self.pace = PublishingPace(task, lockstep=lockstep)
        self.refusal = ""
        self._warned = ""

    @property
    def warning(self) -> str:
        """What people should know of the newest version though it acts; empty where nothing is."""
        return "" if self._risk is None else self._risk.refusal or self._risk.warning

    def publish_start(self, head: AnyHead) -> int:
        """The starting policy as version 1, so that every step names what acted."""
        version = self._publisher.publish(head, 0, None)
        self._fitness.published(head)
        return version

    def publish_when_due(self, cursor: int) -> None:
        waiting = bool(self._replay.fresh_interventions)  # trained on, and not yet in any version
        if self.pace.is_due(self._replay.received, correction=waiting) and self._read():
            self.publish(cursor)

    def publish(self, cursor: int) -> None:
        metrics = self._read()  # a loss that is read later could not undo the version
        if self._good.stopped or not self._good.is_finite():
            return
        self.refusal = self._fitness.refusal()
        if self.refusal:
            self._refuse()
            return
        critic = None if self._risk is None else self._risk.weights()
        foreseen = {} if self._risk is None else self._risk.metrics
        counts, replay = self._algorithm.counts, self._replay
        interventions, (online, shown) = tuple(replay.fresh_interventions), replay.sampled_rows
        update = Update(
            learner_step=counts.updates,
            env_steps=replay.received,
            critic_updates=counts.critic,
            actor_updates=counts.actor,
            losses={**metrics, **foreseen},
            batch_online=online,
            batch_demonstrations=shown,
            new_interventions=interventions,
            wall_s=self.pace.age_s,
            first_sampled=replay.first_samples.told(),
        )
        version = self._publisher.publish(self._algorithm.head, cursor, update, risk=critic)
        if self.warning and self.warning != self._warned:
            _log.warning("%s", self.warning)
        self._warned = self.warning
        replay.published()  # only now: what a failed publication would have told is told later
        self.pace.published(replay.received)
        self._fitness.published()
        self._good.keep()
        _log.info(
            "version %d after %d steps and %d updates, %s",
            version,
            replay.received,
            counts.updates,
            interventions_text(interventions),
        )

    def _refuse(self) -> None:
        """What is not fit to act stays here; training goes on, and the next one is judged anew."""
        self.pace.refused(self._replay.received)
        update = self._algorithm.counts.updates
        data = encode_head(self._algorithm.head, self._backbone_sha256)
        try:
            kept = f"kept in {keep_refused(self._folder, update, data, self.refusal)}"
        except OSError as error:
            kept = f"not kept: {in_words(error)}"
        self.refusal = (
            f"what was learned up to update {update} is not fit to act: {self.refusal}; the "
            f"robots go on with version {self._publisher.version}"
        )
        _log.warning("%s (%s)", self.refusal, kept)
