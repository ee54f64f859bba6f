"""The learner's state on its disk, and whether it belongs to this policy and this database."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from robot_rl import durable_file
from robot_rl.config.task import Task
from robot_rl.errors import Conflict
from robot_rl.learner.algorithm import Algorithm
from robot_rl.learner.checkpoint import NotFinite, Position, read_state, write_state
from robot_rl.learner.disk import in_words
from robot_rl.learner.feed import HistoryLost, ServerClient
from robot_rl.learner.fitness import Fitness
from robot_rl.learner.intake import Intake
from robot_rl.learner.replay import Replay
from robot_rl.learner.risk.learner import RiskLearner
from robot_rl.learner.shaping import Shaping

STATE = "learner.safetensors"


def state_file(data_folder: Path, task: Task) -> Path:
    return data_folder / task.name / STATE


class SavedState:
    """One task's state. `read` once, before anything is trained; `write` at any time after."""

    def __init__(
        self,
        data_folder: Path,
        task: Task,
        backbone_sha256: str,
        client: ServerClient,
        algorithm: Algorithm,
        rng: np.random.Generator,
        fitness: Fitness,
        risk: RiskLearner | None = None,
        shaping: Shaping | None = None,
    ) -> None:
        self.path = state_file(data_folder, task)
        self.backbone_sha256 = backbone_sha256
        self._task = task
        self._client, self._algorithm, self._rng = client, algorithm, rng
        self._fitness, self._risk, self._shaping = fitness, risk, shaping
        self.problem = ""  # why the newest state is not on the disk

    def read(self) -> Position | None:
        """Put back algorithm and random generators; None when there is no state yet.

        Raises Conflict when the state was saved for another policy or another database.
        """
        durable_file.clear(self.path)
        task = self._task
        name = task.learner.algorithm
        position = read_state(
            self.path,
            self._algorithm,
            name,
            self._rng,
            self._fitness,
            self._risk,
            self._shaping,
        )
        if position is None:
            return None
        if position.backbone_sha256 != self.backbone_sha256 or position.task != task.name:
            raise Conflict(
                f"{self.path}: this state belongs to another starting policy of the task "
                f"{task.name}, or to a refreshed encoder that is missing; move it away to start "
                "the learner anew from the recorded data"
            )
        if position.cursor:
            try:
                last = self._client.page(task.name, position.cursor - 1, 0.0).items[:1]
            except HistoryLost as error:
                raise self._of_another_database() from error
            if not last or last[0].number != position.cursor:
                raise self._of_another_database()
        return position

    def catch_up(
        self, position: Position, intake: Intake, replay: Replay, take_next: Callable[[], None]
    ) -> None:
        """Read the feed up to where the state was (`take_next` enters one item), without training
        on it again. Raises Conflict.
        """
        while intake.cursor < position.cursor:
            take_next()
        if position.history not in ("", intake.history):
            raise self._of_another_database()
        replay.restore_sampled(position.sampled_interventions, position.fresh_interventions)
        replay.sampled_rows = position.sampled_rows
        replay.first_samples.restore(position.unsampled, position.waiting, position.first_sampled)

    def write(
        self,
        intake: Intake,
        replay: Replay,
        *,
        published_env_steps: int,
        version: int | None,
        refreshed_env_steps: int = 0,
    ) -> None:
        """Where the disk takes nothing, or a tensor is not finite, the state before stays, and
        `problem` says so.
        """
        counts = self._algorithm.counts
        position = Position(
            task=self._task.name,
            algorithm=self._task.learner.algorithm,
            backbone_sha256=self.backbone_sha256,
            cursor=intake.cursor,
            history=intake.history,
            env_steps=replay.received,
            updates=counts.updates,
            critic_updates=counts.critic,
            actor_updates=counts.actor,
            published_env_steps=published_env_steps,
            version=version,
            sampled_interventions=replay.sampled_interventions,
            fresh_interventions=tuple(replay.fresh_interventions),
            sampled_rows=replay.sampled_rows,
            unsampled=replay.first_samples.unsampled,
            waiting=replay.first_samples.waiting,
            first_sampled=replay.first_samples.told(),
            refreshed_env_steps=refreshed_env_steps,
        )
        try:
            write_state(
                self.path,
                self._algorithm,
                self._rng,
                position,
                self._fitness,
                self._risk,
                self._shaping,
            )
        except (OSError, NotFinite) as error:
            reason = in_words(error) if isinstance(error, OSError) else str(error)
            self.problem = (
                f"the learner's state cannot be saved in {self.path.parent} ({reason}); "
                "what is there already stays valid"
            )
        else:
            self.problem = ""

    def _of_another_database(self) -> Conflict:
        return Conflict(
            f"{self.path}: this state was trained on recorded data that the server's database "
            "does not hold (it was emptied, restored from an older backup, or is another one); "
            "restore the newer backup, or move the file away to start the learner anew from the "
            "data that is there"
        )
