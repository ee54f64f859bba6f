"""Episodes with what people said of them, for training a success classifier."""

from uuid import UUID

from sqlalchemy import Connection, select

from robot_rl.config.task import Task
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import Message
from robot_rl.schema.transition import CLASSIFIER
from robot_rl.server import identities
from robot_rl.server.database import Database
from robot_rl.server.tables import AnnotationTable, EpisodeTable, LabelTable


class LabelledRow(Message):
    """`outcome`: the latest label; None where only a classifier said how the episode ended, which
    must not learn from itself. `marks`: frames of which a person said whether they show success.
    """

    episode_id: UUID
    outcome: Outcome | None
    step_s: float
    marks: dict[int, bool]


def labelled_rows(database: Database, task: Task, most: int) -> tuple[LabelledRow, ...]:
    """The newest whole episodes that may be trained on, oldest first."""
    fitting = identities.trained_on(database, task)
    query = (
        select(EpisodeTable.episode_id, EpisodeTable.outcome, EpisodeTable.step_s)
        .where(
            EpisodeTable.task == task.name,
            EpisodeTable.complete.is_(True),
            ~EpisodeTable.excluded,
        )
        .order_by(EpisodeTable.started_t_utc.desc(), EpisodeTable.episode_id.desc())
    )
    said = select(LabelTable.episode_id, LabelTable.author).order_by(
        LabelTable.t_utc, LabelTable.label_id
    )
    with database.engine.connect() as connection:
        authors = {row.episode_id: row.author for row in connection.execute(said)}
        marks = _marks(connection, task)
        rows = [row for row in connection.execute(query) if row.episode_id in fitting][:most]
    return tuple(
        LabelledRow(
            episode_id=row.episode_id,
            outcome=None
            if row.outcome is None or authors.get(row.episode_id) == CLASSIFIER
            else Outcome(row.outcome),
            step_s=row.step_s,
            marks=marks.get(row.episode_id, {}),
        )
        for row in reversed(rows)
    )


def _marks(connection: Connection, task: Task) -> dict[UUID, dict[int, bool]]:
    """By episode. What was replaced or withdrawn does not count; of two, the newer one does."""
    query = (
        select(AnnotationTable.__table__)
        .join(EpisodeTable, EpisodeTable.episode_id == AnnotationTable.episode_id)
        .where(EpisodeTable.task == task.name)
        .order_by(AnnotationTable.t_utc, AnnotationTable.annotation_id)
    )
    rows = connection.execute(query).all()
    replaced = {row.replaces for row in rows}
    found: dict[UUID, dict[int, bool]] = {}
    for row in rows:
        if row.shows_success is None or row.withdrawn or row.annotation_id in replaced:
            continue
        of_episode = found.setdefault(row.episode_id, {})
        of_episode |= dict.fromkeys(range(row.first_index, row.last_index + 1), row.shows_success)
    return found
