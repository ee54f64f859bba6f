"""Who did what: one row per action that changes something for others."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from robot_rl.schema.message import Message, new_id, utc_now
from robot_rl.server.database import Database
from robot_rl.server.tables import AuditEntryTable


class AuditEntry(Message):
    entry_id: UUID
    t_utc: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, str]


def note(
    connection: Connection,
    actor: str,
    action: str,
    target: str,
    detail: Mapping[str, str] | None = None,
) -> None:
    """Within the transaction of the action itself: both are kept or neither."""
    connection.execute(
        insert(AuditEntryTable).values(
            entry_id=new_id(),
            t_utc=utc_now(),
            actor=actor,
            action=action,
            target=target,
            detail=dict(detail or {}),
        )
    )


def newest(database: Database, limit: int, before: datetime | None) -> tuple[AuditEntry, ...]:
    query = select(AuditEntryTable.__table__).order_by(AuditEntryTable.t_utc.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntryTable.t_utc < before)
    with database.engine.connect() as connection:
        return tuple(AuditEntry(**row._mapping) for row in connection.execute(query))
