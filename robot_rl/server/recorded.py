"""Recorded episodes for an export: which there are, and each with all its steps and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from robot_rl.config import BadConfig, load_task
from robot_rl.errors import NotFound
from robot_rl.interchange.episode import ExportedEpisode, NotExportable
from robot_rl.schema.episode import EpisodeStarted, Outcome
from robot_rl.schema.segment import RecordedStep
from robot_rl.server.blob_store import blobs_at
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database, connect
from robot_rl.server.episode import EpisodeMissing, records
from robot_rl.server.episodes import EpisodeFilter, conditions
from robot_rl.server.rewards import shown_rewards
from robot_rl.server.tables import EpisodeTable


class NothingFound(NotFound):
    """No episode is as asked for: one plain sentence."""


def select_recorded(
    database: Database, wanted: EpisodeFilter, ids: Sequence[UUID] = ()
) -> tuple[UUID, ...]:
    """Episodes that have ended, oldest first. Raises NothingFound."""
    query = (
        select(EpisodeTable.episode_id)
        .where(*conditions(wanted), EpisodeTable.ended_t_utc.is_not(None), EpisodeTable.steps > 0)
        .order_by(EpisodeTable.started_t_utc, EpisodeTable.episode_id)
    )
    if ids:
        query = query.where(EpisodeTable.episode_id.in_(ids))
    with database.engine.connect() as connection:
        found = tuple(connection.execute(query).scalars())
    lacking = [str(each) for each in ids if each not in found]
    if lacking or not found:
        what = f"no ended episode {lacking[0]}" if lacking else "no ended episode"
        raise NothingFound(
            f"there is {what} that is as asked for: `robot-rl episodes list` prints those there are"
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEpisodes:
    """A source of episodes (robot_rl.interchange.episode) that a worker process can open."""

    database_url: str
    blobs: Path
    blob_url: str | None = None

    def read(self, episode_id: UUID) -> ExportedEpisode:
        """Raises NotExportable or EpisodeMissing."""
        database = connect(self.database_url, None)
        try:
            return read_recorded(database, blobs_at(self.blobs, self.blob_url), episode_id)
        finally:
            database.engine.dispose()


def read_recorded(database: Database, blobs: BlobStore, episode_id: UUID) -> ExportedEpisode:
    """Raises NotExportable or EpisodeMissing."""
    with database.engine.connect() as connection:
        row = connection.execute(
            select(EpisodeTable.__table__).where(EpisodeTable.episode_id == episode_id)
        ).one_or_none()
    if row is None:
        raise EpisodeMissing(f"there is no episode {episode_id}")
    kept = EpisodeStarted.model_fields.keys() - {"kind", "t_robot_ns", "t_utc"}
    started = EpisodeStarted(
        **{name: getattr(row, name) for name in kept},
        t_robot_ns=row.started_t_robot_ns,
        t_utc=row.started_t_utc,
    )
    found = _from_the_start(records(database, blobs, episode_id), episode_id)
    outcome = None if row.outcome is None else Outcome(row.outcome)
    return ExportedEpisode(
        started=started,
        outcome=outcome,
        failure_class=row.failure_class,
        note=row.note,
        cause=row.cause or "",
        records=found,
        rewards=_rewards(found, row.task, outcome),
    )


def _from_the_start(found: list[RecordedStep], episode_id: UUID) -> list[RecordedStep]:
    """Without a gap, up to the first record that has no action."""
    if [record.step.index for record in found] != list(range(len(found))):
        raise NotExportable(f"steps of episode {episode_id} are missing: leave it out")
    acted = next(
        (i for i, record in enumerate(found) if record.step.executed_action is None), len(found)
    )
    return found[: acted + 1]


def _rewards(
    found: Sequence[RecordedStep], task: str, outcome: Outcome | None
) -> tuple[float, ...]:
    """By the rule of the task file; 1 for a success and else 0 where there is none here."""
    steps = [record.step for record in found if record.step.executed_action is not None]
    try:
        shown = shown_rewards([record.step for record in found], load_task(task), outcome)
    except BadConfig:
        success = float(outcome is Outcome.SUCCESS)
        return (*(0.0,) * (len(steps) - 1), success) if steps else ()
    return tuple(reward for reward in shown if reward is not None)
