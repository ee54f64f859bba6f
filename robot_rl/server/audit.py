"""Who did what: one row per action that changes something for others."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from robot_rl.schema.message import Message, new_id, utc_now
from robot_rl.server.accounts.tables import AuditEntryTable
from robot_rl.server.database import Database

ROWS_AT_ONCE = 1000


class AuditEntry(Message):
    entry_id: UUID
    t_utc: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, str]


class AuditFormat(StrEnum):
    """A table for spreadsheets, or a JSON object a line."""

    CSV = "csv"
    JSONL = "jsonl"


def note(
    connection: Connection,
    actor: str,
    action: str,
    target: str,
    detail: Mapping[str, str] | None = None,
) -> None:
    """Within the transaction of the action itself: both are kept or neither."""
    entry = AuditEntry(
        entry_id=new_id(),
        t_utc=utc_now(),
        actor=actor,
        action=action,
        target=target,
        detail=dict(detail or {}),
    )
    add(connection, [entry])


def add(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    """Those that are there already stay as they are."""
    connection.execute(
        insert(AuditEntryTable).on_conflict_do_nothing(),
        [entry.model_dump() for entry in entries],
    )


def newest(database: Database, limit: int, before: datetime | None) -> tuple[AuditEntry, ...]:
    query = select(AuditEntryTable.__table__).order_by(AuditEntryTable.t_utc.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntryTable.t_utc < before)
    with database.engine.connect() as connection:
        return tuple(AuditEntry(**row._mapping) for row in connection.execute(query))


def exported(
    database: Database, form: AuditFormat, since: datetime | None, until: datetime | None
) -> Iterator[str]:
    """All of it, oldest first, a piece at a time: a line of names first where it is CSV."""
    query = select(AuditEntryTable.__table__).order_by(
        AuditEntryTable.t_utc, AuditEntryTable.entry_id
    )
    if since is not None:
        query = query.where(AuditEntryTable.t_utc >= since)
    if until is not None:
        query = query.where(AuditEntryTable.t_utc < until)
    if form is AuditFormat.CSV:
        yield _csv_line(tuple(AuditEntry.model_fields))
    with database.engine.connect().execution_options(yield_per=ROWS_AT_ONCE) as connection:
        for rows in connection.execute(query).partitions():
            entries = [AuditEntry(**row._mapping) for row in rows]
            yield "".join(map(_csv_row if form is AuditFormat.CSV else _json_line, entries))


def _json_line(entry: AuditEntry) -> str:
    return entry.model_dump_json() + "\n"


def _csv_row(entry: AuditEntry) -> str:
    detail = " ".join(f"{name}={value}" for name, value in entry.detail.items())
    said = (entry.actor, entry.action, entry.target, detail)
    return _csv_line((str(entry.entry_id), entry.t_utc.isoformat(), *map(_no_formula, said)))


def _no_formula(text: str) -> str:
    """Spreadsheets run what begins like this."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _csv_line(fields: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(fields)
    return line.getvalue()
