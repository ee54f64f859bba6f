"""What was recorded, what waits in the outbox, what the server has: is anything lost or twice?"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from benchmarks.crash_parts import ON_THE_DISK
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.segment import RecordedStep
from robot_rl.server.database import Database
from robot_rl.server.tables import SegmentTable

_ROWS = 256

type StepKey = tuple[UUID, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """lost: steps of which the outbox had said that they are on the disk, and that are nowhere.
    twice: steps that the server has more than once. tail: when the first step was appended that is
    nowhere, though nobody had said that it is kept; ns, None where there is none.
    """

    lost: int
    twice: int
    tail_ns: int | None
    set_aside: int


@dataclass(slots=True)
class Ledger:
    """Of one outbox; reads the recorders' journal as it grows."""

    outbox: Path
    journal: Path
    appended: dict[StepKey, int] = field(default_factory=dict[StepKey, int])  # ns
    durable: set[StepKey] = field(default_factory=set[StepKey])  # the outbox said so
    reported: set[StepKey] = field(default_factory=set[StepKey])  # lost steps, once each
    _open: list[StepKey] = field(default_factory=list[StepKey])  # of which it has not said so yet
    _tail: list[StepKey] = field(default_factory=list[StepKey])  # the same, of a killed recorder
    _read: int = 0

    def newest_ns(self, stored: Counter[StepKey]) -> int:
        """When the newest of the steps was appended that the server has."""
        self._read_journal()
        return max((t_ns for key, t_ns in self.appended.items() if key in stored), default=0)

    def close_life(self) -> None:
        """The recorder was killed, and the next one has not been started yet."""
        self._read_journal()
        self._tail += self._open
        self._open = []

    def look(self, database: Database) -> Looked:
        """What the outbox deletes meanwhile is with the server by then: so it is read first."""
        self._read_journal()
        durable, tail = set(self.durable), self._tail
        self._tail = []
        waiting, aside = self._waiting()
        stored = stored_steps(database)
        lost = {key for key in durable if key not in waiting and key not in stored}
        new = lost - self.reported
        self.reported |= lost
        absent = [self.appended[key] for key in tail if key not in waiting and key not in stored]
        return Looked(
            lost=len(new),
            twice=sum(count - 1 for count in stored.values()),
            tail_ns=min(absent, default=None),
            set_aside=aside,
        )

    def waits(self) -> bool:
        """Whether the outbox has anything to send."""
        reader = OutboxReader(self.outbox)
        try:
            return reader.counts().pending > 0
        finally:
            reader.close()

    def _read_journal(self) -> None:
        if not self.journal.exists():
            return
        with self.journal.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            if line == ON_THE_DISK:
                self.durable.update(self._open)
                self._open = []
                continue
            episode, index, t_ns = line.split()
            key = UUID(episode), int(index)
            self.appended[key] = int(t_ns)
            self._open.append(key)

    def _waiting(self) -> tuple[set[StepKey], int]:
        """Steps in the outbox, and how many rows the server has refused."""
        reader = OutboxReader(self.outbox)
        found: set[StepKey] = set()
        after = 0
        try:
            while (pending := reader.pending(after, _ROWS)) is not None:
                for row in pending.rows:
                    if isinstance(row.content, RecordedStep):
                        found.add((row.content.step.episode_id, row.content.step.index))
                after = pending.rows[-1].number
            return found, reader.counts().set_aside
        finally:
            reader.close()


def stored_steps(database: Database) -> Counter[StepKey]:
    """How often the server has each. Raises what an unreachable database raises."""
    query = select(SegmentTable.episode_id, SegmentTable.first_index, SegmentTable.count)
    with database.engine.connect() as connection:
        return Counter(
            (row.episode_id, index)
            for row in connection.execute(query)
            for index in range(row.first_index, row.first_index + row._mapping["count"])
        )
