"""How well a success classifier agrees with people: when it drifts, somebody must know."""

from sqlalchemy import exists, select

from robot_rl.evaluation.metrics import wilson
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import Message
from robot_rl.schema.transition import CLASSIFIER
from robot_rl.server.database import Database
from robot_rl.server.episodes import EpisodeFilter, conditions
from robot_rl.server.tables import EpisodeTable, LabelTable

NEWEST = 50
"""Episodes that are compared, where nobody asks for another number."""
TARGET = 0.9
"""Share of agreement below which people are warned."""
FEWEST = 10
"""Episodes below which a share says nothing."""


class ClassifierAgreement(Message):
    """Over the newest episodes that a classifier judged and that a person labelled a success or a
    failure (in simulation: the simulator). `warning`: one sentence; empty where there is none.
    """

    episodes: int
    agreed: int
    false_successes: int
    missed: int
    value: float | None
    low: float
    high: float
    warning: str


def agreement(database: Database, wanted: EpisodeFilter, newest: int | None) -> ClassifierAgreement:
    """The classifier's own labels are no one's word but its own: they are left out."""
    said_by_others = exists().where(
        LabelTable.episode_id == EpisodeTable.episode_id, LabelTable.author != CLASSIFIER
    )
    query = (
        select(EpisodeTable.classifier_success, EpisodeTable.outcome)
        .where(
            *conditions(wanted),
            EpisodeTable.classifier_success.is_not(None),
            EpisodeTable.outcome.in_((Outcome.SUCCESS, Outcome.FAILURE)),
            ~EpisodeTable.excluded,
            said_by_others,
        )
        .order_by(EpisodeTable.started_t_utc.desc(), EpisodeTable.episode_id.desc())
        .limit(newest or NEWEST)
    )
    with database.engine.connect() as connection:
        rows = [
            (bool(row.classifier_success), row.outcome == Outcome.SUCCESS)
            for row in connection.execute(query)
        ]
    agreed = sum(said is success for said, success in rows)
    share = wilson(agreed, len(rows))
    return ClassifierAgreement(
        episodes=len(rows),
        agreed=agreed,
        false_successes=sum(said and not success for said, success in rows),
        missed=sum(success and not said for said, success in rows),
        value=share.value,
        low=share.low,
        high=share.high,
        warning=_warning(agreed, len(rows)),
    )


def _warning(agreed: int, episodes: int) -> str:
    if episodes < FEWEST or agreed >= TARGET * episodes:
        return ""
    return (
        f"The success classifier agreed with people in {agreed} of the newest {episodes} episodes, "
        f"fewer than {TARGET:.0%}: look at those where they differ, mark their frames, and train "
        "it again with `robot-rl reward train`."
    )
