"""Rows on their way into a database by COPY, and ids of a given time."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from robot_rl.schema.message import Message

type Row = dict[str, Any]


@dataclass(slots=True)
class Rows:
    """Of one transaction, by table; a table that others refer to is added to first."""

    tables: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    number: int = 0  # of the feed

    def add(self, table: str, **values: Any) -> None:
        self.tables.setdefault(table, []).append(values)

    def say(self, task: str, event: Message | str, t_utc: datetime) -> None:
        """To the learner."""
        self.number += 1
        text = event if isinstance(event, str) else event.model_dump_json()
        self.add("feed", number=self.number, task=task, event=text, t_utc=t_utc)

    def copy(self, connection: psycopg.Connection) -> None:
        for table, rows in self.tables.items():
            columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(tuple(row.values()))


def made_id(rng: random.Random, t_utc: datetime) -> UUID:
    """A UUIDv7 of that time."""
    ms = int(t_utc.timestamp() * 1000)
    return UUID(int=ms << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62))
