"""The learner: one loop that reads the feed, trains, publishes and saves.

Every step that it receives brings `updates_per_step` updates. In real time they are made as the
processor gives them, between what comes in; in lock-step at once, and the robot waits for that.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from robot_rl.config.metrics import check_installed
from robot_rl.errors import Unavailable
from robot_rl.learner.algorithm import (
    ActorCritic,
    Losses,
    Metrics,
    make_algorithm,
)
from robot_rl.learner.critics import Critics
from robot_rl.learner.demonstrations import starting_demonstrations
from robot_rl.learner.device import chosen_device, updates_read_together
from robot_rl.learner.encoder import Delivery, Encoder, keeping_encoder
from robot_rl.learner.feed import FeedReader, ServerClient, Stopped
from robot_rl.learner.fitness import Fitness
from robot_rl.learner.intake import Intake
from robot_rl.learner.last_good import LastGood
from robot_rl.learner.metrics import MetricsRecorder
from robot_rl.learner.metrics_files import MetricsFile, open_files
from robot_rl.learner.pace import UpdateRate
from robot_rl.learner.publish import Publisher
from robot_rl.learner.readings import LossReadings, Reading
from robot_rl.learner.releases import Releases
from robot_rl.learner.replay import Replay
from robot_rl.learner.risk.learner import RiskLearner
from robot_rl.learner.risk.release import RiskRelease
from robot_rl.learner.saved_state import SavedState
from robot_rl.learner.seeing.background import BackgroundRefresh
from robot_rl.learner.seeing.carry_over import carry_over
from robot_rl.learner.seeing.kept import current_folder, encoders_folder
from robot_rl.learner.seeing.refresh import REFRESHED_FROM, Refreshed
from robot_rl.learner.settings import LearnerSettings
from robot_rl.learner.shaping import shaping_of
from robot_rl.learner.team import Alone, TeamLost
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.folder import read_manifest
from robot_rl.policy.interface import Backbone
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.schema.episode import EpisodeStarted
from robot_rl.schema.policy import LearnerProgress

FEATURES, METRICS, REFUSED = "features", "metrics", "refused"
SAVE_EVERY_S = 30.0
ENDING_S = 5.0  # for what is being encoded when the learner stops
TELL_EVERY_S = 1.0
MESSAGE_SHOWN_S = 60.0  # what the learner says goes out of the console after this
IDLE_S = 0.2  # how long to wait for the feed when there is nothing to train

_log = logging.getLogger(__name__)


class Learner:
    """The loop and what it needs. `client` and `stop` are passed in, so that tests can drive it."""

    def __init__(
        self,
        settings: LearnerSettings,
        client: ServerClient,
        stop: threading.Event,
        owed: int = 0,
        team: Alone | None = None,
    ) -> None:
        """`owed`: updates that received steps have brought and nobody has made yet. `team`: the
        processes that train together; None: this one alone.
        """
        self.settings, self.task = settings, settings.task
        self._client, self._stop = client, stop
        compute = self.task.learner.compute
        device = chosen_device(compute, settings.place)
        self._team = team or Alone()
        folder = current_folder(settings.data_folder, self.task)
        manifest = read_manifest(folder)
        policy = load_policy(folder)
        shown = starting_demonstrations(folder, manifest, self.task, policy.backbone)
        self.replay = Replay(self.task, policy.backbone.size, shown, device=device)
        self._head_shape = policy.head.settings
        self.algorithm = make_algorithm(self.task.learner, policy.head, settings.seed, device)
        self._team.join(self.algorithm)
        self._told_back = 0  # how often of going back the team has been told
        self._starting_head = policy.head  # an algorithm may train another kind in its place
        self.rng = np.random.default_rng([settings.seed, 1])
        self.intake = Intake(self.replay, self._say)
        self._backbone, self._manifest = policy.backbone, manifest
        self.publisher = Publisher(client, self.task, folder, manifest)
        self._fitness = Fitness(
            self.task.learner.fitness,
            self.algorithm,
            self.replay,
            self.task.reward.success,
            self._starting_head,
        )
        risk = self.task.risk
        self.risk = (
            None
            if risk is None
            else RiskLearner(risk, lambda: self.algorithm.head, settings.seed, device)
        )
        if self.risk is not None and (constrained := self.risk.constrained) is not None:
            cast(ActorCritic, self.algorithm).constrain = constrained  # the task was checked for it
        self._shaping = shaping_of(
            self.task.learner, self.algorithm.columns, policy.backbone.size, settings.seed, device
        )
        self.replay.shaping = self._shaping
        self._saved = SavedState(
            settings.data_folder,
            self.task,
            policy.backbone.sha256,
            client,
            self.algorithm,
            self.rng,
            self._fitness,
            self.risk,
            self._shaping,
        )
        self._good = LastGood(self.algorithm, self.replay, self._say)
        self._releases = Releases(
            self.task,
            settings.data_folder / self.task.name / REFUSED,
            policy.backbone.sha256,
            self.algorithm,
            self.replay,
            self.publisher,
            self._fitness,
            self._good,
            self._risk_release(policy.backbone.sha256),
            self._all_read,
            lockstep=settings.lockstep,
        )
        check_installed(self.task.learner.metrics)
        self._recorder = self._records({})  # until the state has been read
        self._refresh = BackgroundRefresh(
            self.task,
            policy.backbone,
            self.algorithm,
            client,
            encoders_folder(settings.data_folder, self.task),
            self._encoder,
            starting_sha256=str(manifest.report.get(REFRESHED_FROM, policy.backbone.sha256)),
            lockstep=settings.lockstep,
            seed=settings.seed,
        )
        self._refreshed = False  # the saved state is of another encoder than this one
        self._rate = UpdateRate()
        self._readings = LossReadings(updates_read_together(compute, device))
        self._metrics: Metrics = {}
        self.owed = owed
        self._entering = False  # in the middle of an item: only a part of its steps is trained on
        self._offline = True  # until what can be learned before the first step is learned
        self._message, self._said_at = "", 0.0
        self._saved_at = self._told_at = time.monotonic()

    def run(self) -> bool:
        """Go on from the saved state, or begin; save at the end whatever ended it, unless that was
        in the middle of an item. Returns whether another learner is to go on with a new encoder.
        """
        position = self._saved.read()
        ending = threading.Event()
        encoder = self._encoder(self._backbone, self._manifest)
        # From the feed's beginning; what was encoded before is on the disk.
        reader = FeedReader(self._client, self.task.name, 0, ending, encoder)
        caught_up = position is None
        try:
            if position is not None:
                _log.info("reading the feed again up to item %d", position.cursor)
                self.publisher.version = position.version
                self._refresh.tried_at = position.refreshed_env_steps
                self._saved.catch_up(
                    position, self.intake, self.replay, lambda: self._take_one(reader)
                )
                self._releases.pace.env_steps = position.published_env_steps
                self._good.keep()
                caught_up = True
            self._recorder = self._records(self._metrics_files())
            self._tell()
            self._bring_team_here()
            self._begin()
            self._train(reader)
        except Stopped:
            _log.info("the learner stops")
        except TeamLost:
            caught_up = False  # half an update is nothing to go on from
            raise
        finally:
            if caught_up and not self._entering:
                self._save()  # else the state before the item is the one to go on from
            self._recorder.close()
            ending.set()
            self._refresh.end()
            if not self._refreshed:
                self._stop.set()
                reader.end(ENDING_S)
        if self._saved.problem:
            raise Unavailable(self._saved.problem)
        return self._refreshed and not self._stop.is_set()

    def _risk_release(self, backbone_sha256: str) -> RiskRelease | None:
        if self.risk is None:
            return None
        critics = getattr(self.algorithm, "critics", None)
        values = critics.values if isinstance(critics, Critics) else None
        return RiskRelease(self.risk, self.replay, backbone_sha256, lambda: values)

    def _encoder(self, backbone: Backbone, manifest: CheckpointManifest) -> Encoder:
        settings, task = self.settings, self.task
        return keeping_encoder(
            backbone,
            manifest,
            self._client.segment,
            settings.data_folder / task.name / FEATURES,
            task=task,
            one_by_one=settings.lockstep,
            say=self._say,
        )

    def _metrics_files(self) -> Mapping[str, MetricsFile]:
        folder = self.settings.data_folder / self.task.name / METRICS
        update = self.algorithm.counts.updates
        return open_files(self.task.learner.metrics, folder, self.task.name, update)

    def _records(self, files: Mapping[str, MetricsFile]) -> MetricsRecorder:
        return MetricsRecorder(self.algorithm, self.replay, files, self._say, self.settings.seed)

    def _take_one(self, reader: FeedReader) -> None:
        """Enter the next item, whenever it comes, without training. Raises Stopped."""
        while not self._stop.is_set():
            delivery = reader.take(IDLE_S)
            if delivery is not None:
                for _ in self.intake.take(delivery):
                    pass
                if time.monotonic() - self._told_at >= TELL_EVERY_S:
                    self._tell()
                return
        raise Stopped

    def _begin(self) -> None:
        """Version 1 is the starting policy itself, so that every step names what acted; then what
        can be learned before the first step.
        """
        if self.publisher.version is None:
            version = self._releases.publish_start(self._starting_head)
            self._save()  # a learner killed from now on does not publish the start again
            _log.info("the starting policy is version %d", version)
        learned = False
        first = self.replay.received == 0
        self._follow_progress()
        data = self._team.data(self.replay, offline=True)
        for losses in self.algorithm.offline(data, self.rng) if first else ():
            learned = True
            self._await_reading(self._team.averaged(losses))
            self._tell_and_save_when_due()
            self._bring_team_back()  # all of the above can go back, and the next batch is theirs
            if self._good.stopped:
                break
            if self._stop.is_set():
                raise Stopped
        if learned:
            self._releases.publish(self.intake.cursor)
        self._offline = False
        self._tell()  # in lock-step virtual time begins with it

    def _train(self, reader: FeedReader) -> None:
        while not self._stop.is_set():
            busy = self.owed > 0
            # What was recorded comes first: on a slow machine training would starve the encoder.
            delivery = reader.take(IDLE_S if reader.behind or not busy else 0.0)
            self._refresh_when_due(delivery)
            if self._refreshed:
                return  # whoever goes on reads the delivery again
            if delivery is not None:
                self._enter(delivery)
            elif busy:
                self._update()
            if not self.settings.lockstep:
                self._releases.publish_when_due(self.intake.cursor)
            self._tell_and_save_when_due()

    def _refresh_when_due(self, delivery: Delivery | None) -> None:
        """Begin before an episode, and take the result between two updates; in lock-step before
        that episode, and the robot waits meanwhile.
        """
        starts = delivery is not None and isinstance(delivery.item.event, EpisodeStarted)
        if starts and not self._good.stopped and self._refresh.due(self.replay.received):
            self._refresh.begin(self.replay, self.intake.cursor, self._starting_head)
        while self.settings.lockstep and self._refresh.running:
            if self._stop.is_set():
                raise Stopped
            if self._refresh.ready:
                break
            self._refresh.wait(TELL_EVERY_S)
            self._tell()
        if self._refresh.ready:
            self._take_refreshed(self._refresh.take())

    def _take_refreshed(self, refreshed: Refreshed | str) -> None:
        """Nothing here can fail halfway: what is saved from now on is of the new encoder."""
        if isinstance(refreshed, str) or self._saved.problem:
            self._say(refreshed if isinstance(refreshed, str) else self._saved.problem)
            return
        self._all_read()
        self._good.is_finite()  # if not, it has gone back: what is carried over is finite
        if self._good.stopped:  # and a learner with another encoder would train on
            return
        for networks in (self.algorithm, self._fitness.parent, self.risk, self._shaping):
            carry_over(networks, refreshed.translation)
        self._saved.backbone_sha256 = refreshed.sha256
        self._good.keep()
        self._refreshed = True
        _log.info("refreshed after %d steps: %s", self.replay.received, refreshed.text)

    def _enter(self, delivery: Delivery) -> None:
        """Take in one item. In lock-step, train for each of its steps and publish after the step
        that makes it due: a version does not depend on how the steps were cut into segments.
        """
        lockstep = self.settings.lockstep
        self._entering = True
        for received in self.intake.take(delivery):
            self.owed += self.algorithm.budget.owed(received)
            if not lockstep:
                continue
            while self.owed:
                self._update()
            self._releases.publish_when_due(self.intake.cursor)
            if time.monotonic() - self._told_at >= TELL_EVERY_S:
                self._tell()
        self._entering = False
        if lockstep:
            self._tell()  # the robot waits for the cursor

    def _update(self) -> None:
        self.owed -= 1
        if self._good.stopped:
            return
        self._follow_progress()
        self._bring_team_back()
        losses = self.algorithm.update(self._team.data(self.replay), self.rng)
        self._await_reading(self._team.averaged(losses))
        # Once for each received step, whatever the algorithm's own number of updates.
        if self.risk is not None and not self.owed % self.algorithm.budget.updates_per_step:
            self._await_reading(self.risk.update(self.replay))

    def _follow_progress(self) -> None:
        miss = None if self._shaping is None else self._shaping.fit_when_due(self.replay)
        if miss is not None:
            _log.info("progress is told from successes: it misses by %.1f steps", miss)

    def _bring_team_here(self) -> None:
        """The other processes go on from the algorithm as it is now."""
        settings = self.settings
        self._team.begin(self.algorithm, self.task.learner, settings.seed, self._head_shape)
        self._told_back = self._good.went_back

    def _bring_team_back(self) -> None:
        """Where training has gone back since the others heard of it, they do too."""
        if self._told_back != self._good.went_back:
            self._bring_team_here()

    def _await_reading(self, losses: Losses) -> None:
        """What an update says is read with that of others, as the device has come to it."""
        update = self.algorithm.counts.updates
        self._read(self._readings.add(update, losses, self._recorder.measured()))

    def _read(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            if not self._note(reading.losses):
                return  # those after it were made of what has been put back
            self._recorder.note(reading.update, reading.losses, reading.measured)

    def _all_read(self) -> Metrics:
        """The newest losses, with nothing left to read. Raises TeamLost."""
        self._team.alive()  # first: reading waits for sums to which a process that ended adds none
        self._read(self._readings.take())
        return self._metrics

    def _note(self, metrics: Metrics) -> bool:
        """Whether they are finite; if not, training has gone back."""
        accepted = self._good.accepts(metrics)
        if accepted:
            self._metrics |= metrics
            self._rate.note()
        return accepted

    # ---- what others see -----------------------------------------------------------------------

    def _tell_and_save_when_due(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_EVERY_S:
            self._tell()
        if now - self._saved_at >= SAVE_EVERY_S:
            self._save()

    def _tell(self) -> None:
        self._all_read()
        now = time.monotonic()
        self._client.tell(
            LearnerProgress(
                task=self.task.name,
                feed_cursor=self.intake.cursor,
                env_steps=self.replay.received,
                learner_step=self.algorithm.counts.updates,
                steps_per_s=self._rate.per_s,
                demonstration_steps=len(self.replay.demonstrated),
                replay_steps=len(self.replay.online),
                losses=dict(self._metrics),
                version=self.publisher.version,
                offline=self._offline,
                encoder_updates=self._refresh.updates if self._refresh.running else 0,
                paused=bool(self._good.stopped) or not (self.settings.lockstep or self.owed),
                message=self._good.stopped
                or self._saved.problem
                or self._releases.refusal
                or (self._message if now - self._said_at < MESSAGE_SHOWN_S else "")
                or self._releases.warning,
            )
        )
        self._told_at = now

    def _say(self, message: str) -> None:
        self._message, self._said_at = message, time.monotonic()
        _log.warning("%s", message)

    def _save(self) -> None:
        self._read(self._readings.take())
        if self._good.is_finite():
            self._good.keep()
        problem = self._saved.problem
        self._saved.write(
            self.intake,
            self.replay,
            published_env_steps=self._releases.pace.env_steps,
            version=self.publisher.version,
            refreshed_env_steps=self._refresh.tried_at,
        )
        if self._saved.problem != problem:
            _log.warning("%s", self._saved.problem or "the learner's state is saved again")
        self._saved_at = time.monotonic()
