"""What the risk critic held back, and what people did about it."""

from sqlalchemy import func, select

from robot_rl.schema.episode import RiskEvent
from robot_rl.schema.message import Message
from robot_rl.server.database import Database
from robot_rl.server.episodes import EpisodeFilter, conditions
from robot_rl.server.tables import EpisodeTable, SafetyEventTable


class RiskCounts(Message):
    """Over episodes that have ended, are not excluded, and in which a risk critic judged.

    vetoes: holds of the robot by the critic. cleared: those from which a person took over.
    overrides: interventions in which a person did what was above the critic's threshold.
    """

    episodes: int
    vetoes: int
    cleared: int
    overrides: int


def risk_counts(database: Database, wanted: EpisodeFilter, newest: int | None) -> RiskCounts:
    """Of the `newest` of the episodes that are `wanted`; None: of all."""
    judged = (
        select(EpisodeTable.episode_id)
        .where(
            *conditions(wanted),
            EpisodeTable.ended_t_utc.is_not(None),
            ~EpisodeTable.excluded,
            EpisodeTable.risk_max.is_not(None),
        )
        .order_by(EpisodeTable.started_t_utc.desc(), EpisodeTable.episode_id.desc())
        .limit(newest)
        .subquery()
    )
    counted = (
        select(SafetyEventTable.code, func.count())
        .where(SafetyEventTable.code.in_([*RiskEvent]))
        .where(SafetyEventTable.episode_id.in_(select(judged.c.episode_id)))
        .group_by(SafetyEventTable.code)
    )
    with database.engine.connect() as connection:
        episodes = connection.execute(select(func.count()).select_from(judged)).scalar_one()
        found = {row[0]: row[1] for row in connection.execute(counted)}
    return RiskCounts(
        episodes=episodes,
        vetoes=found.get(RiskEvent.VETO, 0),
        cleared=found.get(RiskEvent.CLEARED, 0),
        overrides=found.get(RiskEvent.OVERRIDE, 0),
    )
