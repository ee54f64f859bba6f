"""The learner as a process: one loop that reads the feed, trains, publishes and saves.

In real time it trains as much as the processor gives, up to `updates_per_step_limit` updates for
every step it has received. In lock-step it makes exactly `updates_per_step` updates for every step
and then says so; the robot waits for that.
"""

import logging
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from robot_rl.config.document import file_sha256
from robot_rl.config.task import Task
from robot_rl.errors import PlainError
from robot_rl.learner.checkpoint import Position, read_state, write_state
from robot_rl.learner.demonstrations import decode_trajectories
from robot_rl.learner.feed import Delivery, FeedReader, HistoryLost, ServerClient, Stopped
from robot_rl.learner.hil_serl import HilSerl
from robot_rl.learner.intake import Intake
from robot_rl.learner.publish import Publisher, interventions_text
from robot_rl.learner.replay import Replay
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.folder import read_file, read_manifest
from robot_rl.policy.starting import starting_folder
from robot_rl.schema.policy import LearnerProgress, Update

STATE = "learner.safetensors"
SAVE_EVERY_S = 30.0
TELL_EVERY_S = 1.0
MESSAGE_SHOWN_S = 60.0  # what the learner says goes out of the console after this
IDLE_S = 0.2  # how long to wait for the feed when there is nothing to train
_SPEED_UPDATES = 200  # over which the shown rate is taken

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    task: Task
    server_url: str
    token: str
    data_folder: Path
    lockstep: bool = False
    seed: int = 0


def run(settings: LearnerSettings) -> None:
    """Until SIGTERM or SIGINT; then saves and returns. Raises PlainError."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    stop = threading.Event()
    with _stop_on_signals(stop):
        client = ServerClient(settings.server_url, settings.token, stop, say=_log.info)
        try:
            Learner(settings, client, stop).run()
        finally:
            client.close()


class Learner:
    """The loop and what it needs. `client` and `stop` are passed in, so that tests can drive it."""

    def __init__(
        self, settings: LearnerSettings, client: ServerClient, stop: threading.Event
    ) -> None:
        self.settings, self.task = settings, settings.task
        self._client, self._stop = client, stop
        folder = starting_folder(self.task)
        manifest = read_manifest(folder)
        policy = load_policy(folder)
        preloaded = (
            decode_trajectories(
                read_file(folder, manifest.demonstrations),
                str(folder / manifest.demonstrations.name),
                task=self.task.name,
                backbone_sha256=policy.backbone.sha256,
                features=policy.backbone.size,
            )
            if manifest.demonstrations
            else []
        )
        self._backbone_sha256 = policy.backbone.sha256
        self.replay = Replay(self.task, policy.backbone.size, preloaded)
        self.algorithm = HilSerl(self.task.learner, policy.head, settings.seed)
        self.rng = np.random.default_rng([settings.seed, 1])
        self.intake = Intake(
            self.task, file_sha256(self.task.path), policy.backbone, self.replay, self._say
        )
        self.publisher = Publisher(client, self.task, folder, manifest)
        self._state = settings.data_folder / self.task.name / STATE
        self._losses: dict[str, float] = {}
        self._message, self._said_at = "", 0.0
        self._published_env_steps = 0
        self._published_at = self._saved_at = self._told_at = time.monotonic()
        self._rate: deque[float] = deque(maxlen=_SPEED_UPDATES)

    def run(self) -> None:
        """Go on from the saved state, or begin; save at the end whatever ended it."""
        position = read_state(self._state, self.algorithm, self.rng)
        if position is not None:
            self._check_belongs(position)
        reader = FeedReader(self._client, self.task.name, 0, self._stop)
        caught_up = position is None
        try:
            if position is not None:
                self._catch_up(reader, position)
                caught_up = True
            self._tell()
            self._train(reader, fresh=self.publisher.version is None)
        except Stopped:
            _log.info("the learner stops")
        finally:
            if caught_up:
                self._save()

    def _check_belongs(self, position: Position) -> None:
        """Raises PlainError when the state was saved for another policy or another database."""
        if position.backbone_sha256 != self._backbone_sha256 or position.task != self.task.name:
            raise PlainError(
                f"{self._state}: this state belongs to another starting policy of the task "
                f"{self.task.name}; move it away to start the learner anew from the recorded data"
            )
        if not position.cursor:
            return
        try:
            last = self._client.page(self.task.name, position.cursor - 1, 0.0).items[:1]
        except HistoryLost as error:
            raise self._of_another_database() from error
        if not last or last[0].number != position.cursor:
            raise self._of_another_database()

    def _of_another_database(self) -> PlainError:
        return PlainError(
            f"{self._state}: this state was trained on recorded data that the server's database "
            "does not hold (it was emptied, restored from an older backup, or is another one); "
            "restore the newer backup, or move the file away to start the learner anew from the "
            "data that is there"
        )

    def _catch_up(self, reader: FeedReader, position: Position) -> None:
        """Read the feed up to where the saved state was, without training on it again."""
        _log.info("reading the feed again up to item %d", position.cursor)
        while self.intake.cursor < position.cursor:
            for _ in self.intake.take(self._next(reader)):
                pass
        if position.history not in ("", self.intake.history):
            raise self._of_another_database()
        self.replay.restore_sampled(position.sampled_interventions, position.fresh_interventions)
        self.replay.sampled_rows = position.sampled_rows
        self._published_env_steps = position.published_env_steps
        self.publisher.version = position.version

    def _next(self, reader: FeedReader) -> Delivery:
        while not self._stop.is_set():
            delivery = reader.take(IDLE_S)
            if delivery is not None:
                return delivery
        raise Stopped

    def _train(self, reader: FeedReader, *, fresh: bool) -> None:
        if fresh:
            # Version 1 is the starting policy itself, so that every step names what acted.
            version = self.publisher.publish(self.algorithm.head, 0, None)
            self._save()  # a learner killed from now on does not publish the start again
            _log.info("the starting policy is version %d", version)
        while not self._stop.is_set():
            busy = not self.settings.lockstep and self._may_update()
            delivery = reader.take(0.0 if busy else IDLE_S)
            if delivery is not None:
                self._enter(delivery)
            elif busy:
                self._update()
            self._publish_when_due()
            now = time.monotonic()
            if now - self._told_at >= TELL_EVERY_S:
                self._tell()
            if now - self._saved_at >= SAVE_EVERY_S:
                self._save()

    def _enter(self, delivery: Delivery) -> None:
        """Take in one item; in lock-step train for each of its steps, publish, and say so."""
        before = self.replay.received
        for received in self.intake.take(delivery):
            if self.settings.lockstep and received > self.task.learner.start_steps:
                for _ in range(self.task.learner.updates_per_step):
                    self._update()
        if self.settings.lockstep and self.replay.received > before:
            self._publish_when_due()
            self._tell()

    def _may_update(self) -> bool:
        settings = self.task.learner
        steps = self.replay.received - settings.start_steps
        limit = steps * settings.updates_per_step_limit
        return self.algorithm.counts.critic < limit

    def _update(self) -> None:
        self._losses |= self.algorithm.update(self.replay, self.rng)
        self._rate.append(time.monotonic())

    # ---- what others see -----------------------------------------------------------------------

    def _publish_when_due(self) -> None:
        settings, steps = self.task.learner, self.replay.received
        waiting = self.replay.fresh_interventions  # trained on, and not yet in any version
        if not self._losses or (steps == self._published_env_steps and not waiting):
            return
        if self.settings.lockstep:
            correction_steps = math.ceil(settings.publish_correction_s / self.task.step_s)
            every = correction_steps if waiting else settings.publish_every_steps
            due = steps - self._published_env_steps >= min(every, settings.publish_every_steps)
        else:
            every_s = settings.publish_correction_s if waiting else settings.publish_every_s
            due = time.monotonic() - self._published_at >= min(every_s, settings.publish_every_s)
        if due:
            self._publish()

    def _publish(self) -> None:
        counts, now = self.algorithm.counts, time.monotonic()
        interventions = self.replay.take_fresh_interventions()
        online, demonstrations = self.replay.take_sampled_rows()
        update = Update(
            learner_step=counts.critic,
            env_steps=self.replay.received,
            critic_updates=counts.critic,
            actor_updates=counts.actor,
            losses=dict(self._losses),
            batch_online=online,
            batch_demonstrations=demonstrations,
            new_interventions=interventions,
            wall_s=now - self._published_at,
        )
        version = self.publisher.publish(self.algorithm.head, self.intake.cursor, update)
        self._published_env_steps, self._published_at = self.replay.received, now
        _log.info(
            "version %d after %d steps and %d updates, %s",
            version,
            self.replay.received,
            counts.critic,
            interventions_text(interventions),
        )

    def _tell(self) -> None:
        rate = self._rate
        now = time.monotonic()
        span = rate[-1] - rate[0] if len(rate) > 1 else 0.0
        recent = bool(rate) and now - rate[-1] < 2 * TELL_EVERY_S
        self._client.tell(
            LearnerProgress(
                task=self.task.name,
                feed_cursor=self.intake.cursor,
                env_steps=self.replay.received,
                learner_step=self.algorithm.counts.critic,
                steps_per_s=(len(rate) - 1) / span if span > 0 and recent else 0.0,
                demonstration_steps=len(self.replay.demonstrated),
                replay_steps=len(self.replay.online),
                losses=dict(self._losses),
                version=self.publisher.version,
                paused=not self.settings.lockstep and not self._may_update(),
                message=self._message if now - self._said_at < MESSAGE_SHOWN_S else "",
            )
        )
        self._told_at = now

    def _say(self, message: str) -> None:
        self._message, self._said_at = message, time.monotonic()
        _log.warning("%s", message)

    def _save(self) -> None:
        counts = self.algorithm.counts
        position = Position(
            task=self.task.name,
            backbone_sha256=self._backbone_sha256,
            cursor=self.intake.cursor,
            history=self.intake.history,
            env_steps=self.replay.received,
            critic_updates=counts.critic,
            actor_updates=counts.actor,
            published_env_steps=self._published_env_steps,
            version=self.publisher.version,
            sampled_interventions=self.replay.sampled_interventions,
            fresh_interventions=tuple(self.replay.fresh_interventions),
            sampled_rows=self.replay.sampled_rows,
            dice="",
        )
        write_state(self._state, self.algorithm, self.rng, position)
        self._saved_at = time.monotonic()


@contextmanager
def _stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; what was there before comes back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda _number, _frame: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
