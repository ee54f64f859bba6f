"""The durable path, robot → server: batches in order, deleted only when acknowledged.

It runs in a thread of the link with an event loop of its own: no fsync holds up live traffic.

One batch is in flight at a time. A lost answer is met by sending the batch again, which the server
recognises by its sequence numbers, so nothing is stored twice and nothing is skipped.

What the server will never store is set aside in the outbox, row by row, and stands in nobody's way,
however much of it there is: the rows that the server names (schema.ingest.ItemRefused), and a row
to which it gives a useless answer again and again while it takes a row of the same sort from behind
it. Where it takes none of those either, the server is at fault: everything is kept and waits.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import httpx

from robot_rl.daemon.link.ingest_client import IngestClient
from robot_rl.daemon.link.refill import Refill
from robot_rl.daemon.link.uplink_answer import BatchAnswer, BatchVerdict
from robot_rl.daemon.link.uplink_batch import BATCH_ROWS, UplinkBatch, cut_batch, ripe_rows
from robot_rl.daemon.outbox.file import BadOutbox, OutboxRow, UnreadableRow
from robot_rl.daemon.outbox.reader import OutboxCounts, OutboxReader, PendingRows
from robot_rl.daemon.outbox.sent import SentBatches
from robot_rl.schema.ingest import BatchAck, ItemRefused
from robot_rl.schema.segment import RecordedStep

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.2, 10.0
_HURRIED_POLL_S = 0.002
_SAME_ANSWERS = 5  # to one row alone: then they are


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkState:
    connected: bool
    problem: str  # one sentence, empty when all is well
    acknowledged_training: int  # transitions the server has acknowledged since the start
    counts: OutboxCounts
    refill: int = 0  # rows that a restored server lacks, still to be sent again
    lost: int = 0  # rows that it lacks and nobody has, as far as was found since the start


class Uplink:
    """Sends until it is told to stop. Raises nothing that a network or a server can cause."""

    def __init__(
        self,
        reader: OutboxReader,
        client: httpx.AsyncClient,
        sent: SentBatches,
        *,
        robot: str,
        log: Callable[[str], None],
        linger_s: float = 0.5,
        poll_s: float = 0.05,
        longest_backoff_s: float = _LONGEST_BACKOFF_S,
    ) -> None:
        self._reader, self._sent, self._robot, self._log = reader, sent, robot, log
        self._ingest = IngestClient(client, robot)
        self._refill = Refill(reader, sent, self._ingest, log)
        self._linger_s, self._poll_s = linger_s, poll_s
        self._longest_backoff_s = longest_backoff_s
        self._waiting: PendingRows | None = None
        self._since = 0.0  # monotonic time at which the oldest waiting row was first seen
        self._cut_before = 0  # a batch ends before this row, which the server refuses
        self._short_until = 0  # up to this row, a batch has at most `_short_rows`
        self._short_rows = BATCH_ROWS
        self._same_answers = 0  # in a row, to one row alone
        self._server_works = False  # it took a row from behind the one that it does not answer to
        self._tried = 0  # the last row from behind that was tried
        self._stored: set[int] = set()  # rows that it took so: sent again they tell nothing
        self._told: set[UUID | None] = set()
        self._unanswered: UplinkBatch | None = None  # the server may have it
        self._backoff_s = 0.0
        self._connected = False
        self._problem = self._not_looked = ""
        self._acknowledged_training = 0
        self._draining = self._hurried = False
        self.state = UplinkState(
            connected=False,
            problem="",
            acknowledged_training=0,
            counts=OutboxCounts(pending=0, pending_training=0, set_aside=0, last=0),
        )
        """How it stands; replaced as a whole, so that another thread may read it."""

    def drain(self) -> None:
        """From now on send at once whatever is there, and return from `run` when it is empty."""
        self._draining = True

    def hurry(self, hurried: bool) -> None:
        """Somebody waits for all that is recorded: no row waits for others to be sent with."""
        self._hurried = hurried

    def look_again(self) -> None:
        """The server may have been restored: ask it what it has before more is sent."""
        self._refill.forget()

    async def run(self) -> None:
        """Send for ever; after `drain`, until nothing waits or the server does not answer."""
        changed = -1
        while True:
            try:
                now_changed = self._reader.changed()
                if now_changed != changed or self._waiting is None or self._draining:
                    changed = now_changed
                    self._fetch()
                    self._publish()
                if self._draining and self._waiting is None:
                    return
                if self._refill.server is None:
                    if not await self._look_for(self._unanswered):
                        self._publish()
                        if self._draining:
                            return
                        await self._rest(self._backoff_s)
                    continue
                batch = self._next_batch()
                refilling = self._refill.due and not self._draining
                if batch is not None:
                    await self._deliver(batch)
                if refilling and self._refill.due:
                    await self._refill.send_one()
                if batch is not None or refilling:
                    self._publish()
                if self._draining and self._backoff_s:
                    return
                if batch is not None:
                    await self._rest(self._backoff_s)
                elif not refilling:
                    await self._rest(_HURRIED_POLL_S if self._hurried else self._poll_s)
            except (sqlite3.Error, OSError, BadOutbox) as error:
                self._say(f"the outbox cannot be read: {error}")
                if type(error) is sqlite3.DatabaseError:  # damaged; the others may pass
                    self._reader.doubt()
                    self._waiting = None
                if self._draining:
                    return
                await self._rest(1.0)

    def _publish(self) -> None:
        self.state = UplinkState(
            connected=self._connected,
            problem=self._problem,
            acknowledged_training=self._acknowledged_training,
            counts=self._reader.counts(),
            refill=self._refill.rows,
            lost=self._refill.lost,
        )

    async def _look(self, also: UUID | None = None) -> bool:
        """Ask the server which one it is and what it has; False when it does not say."""
        problem = await self._refill.look(also)
        if problem:
            self._not_looked, self._connected = problem, False
            self._back_off()
            self._say(problem)
            return False
        if self._refill.rows:
            self._waiting = None  # it may be of another epoch now
        if self._not_looked and self._problem == self._not_looked:
            self._answered()
        self._not_looked, self._connected = "", True
        return True

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)

    # ---- what to send ---------------------------------------------------------------------------

    def _fetch(self) -> None:
        """Add what was recorded since to what waits; images are read once."""
        waiting = self._waiting
        after = waiting.rows[-1].number if waiting else 0
        room = BATCH_ROWS + 1 - (len(waiting.rows) if waiting else 0)
        if room <= 0:
            return
        try:
            found = self._reader.pending(after, room)
        except UnreadableRow as error:
            if waiting is None:
                self._log(f"{error}; it is set aside in the outbox and not sent")
                self._reader.set_aside(error.number, error.number, str(error))
            return
        if found is None:
            return
        if waiting is None:
            self._waiting, self._since = found, time.monotonic()
        elif found.epoch == waiting.epoch:
            self._waiting = PendingRows(
                epoch=waiting.epoch, first=waiting.first, rows=(*waiting.rows, *found.rows)
            )

    def _next_batch(self) -> UplinkBatch | None:
        waiting = self._waiting
        if waiting is None:
            return None
        linger_s = 0.0 if self._draining or self._hurried else self._linger_s
        count = ripe_rows(waiting.rows, time.monotonic() - self._since, linger_s)
        first = waiting.rows[0].number
        if first <= self._short_until:
            count = self._short_rows
        if first < self._cut_before:
            count = min(count or BATCH_ROWS, self._cut_before - first)
        return cut_batch(waiting, waiting.rows[:count], self._robot) if count else None

    def _drop_waiting(self, through: int) -> None:
        waiting = self._waiting
        if waiting is not None:
            left = tuple(row for row in waiting.rows if row.number > through)
            self._waiting = (
                PendingRows(epoch=waiting.epoch, first=waiting.first, rows=left) if left else None
            )
            self._since = time.monotonic()

    # ---- what came of it ------------------------------------------------------------------------

    async def _deliver(self, batch: UplinkBatch) -> None:
        problem = await self._refill.make_way(batch.header)
        if problem:
            self._refill.forget()
            self._not_sent(problem)
            return
        answer = await self._post(batch)
        if answer.verdict is BatchVerdict.CONFLICT:
            await self._disagree(batch)
        elif answer.ack is not None:
            self._answered()
            self._apply(batch, answer.ack)
        elif answer.refused is not None and _names_rows_of(batch, answer.refused):
            self._answered()
            if await self._lacks_nothing_more():
                self._refuse(batch, answer.refused)
        else:
            self._not_sent("")
            useless = answer.verdict in (BatchVerdict.USELESS, BatchVerdict.REFUSED)
            if not useless:
                self._refill.forget()  # it is away, and may come back as it was before
                self._unanswered = batch
            problem = await self._suspect(batch, answer.sentence) if useless else answer.sentence
            self._say(problem)

    def _not_sent(self, problem: str) -> None:
        self._connected = False
        self._back_off()
        if problem:
            self._say(problem)

    async def _lacks_nothing_more(self) -> bool:
        """A refusal counts when it is not of a server that was restored without our knowing."""
        lacked = self._refill.rows > 0
        return await self._look() and (self._refill.rows > 0) == lacked

    async def _look_for(self, batch: UplinkBatch | None) -> bool:
        """As `_look`. If it says that it has the batch, that is its answer."""
        if batch is None:
            return await self._look()
        epoch = batch.header.boot_epoch
        if not await self._look(also=epoch):
            return False
        self._unanswered, last = None, self._refill.stored(epoch)
        if last >= batch.header.last_sequence and not self._refill.lacks(epoch):
            self._answered()
            self._apply(batch, BatchAck(boot_epoch=epoch, last_sequence=last))
        return True

    async def _disagree(self, batch: UplinkBatch) -> None:
        """The server's cursor is not where this batch begins."""
        epoch = batch.header.boot_epoch
        if await self._look(also=epoch) and not self._refill.lacks(epoch):
            last = self._refill.stored(epoch)
            self._apply(batch, BatchAck(boot_epoch=epoch, last_sequence=last))

    async def _post(self, batch: UplinkBatch) -> BatchAnswer:
        return await self._ingest.post(batch.header, batch.files)

    def _apply(self, batch: UplinkBatch, ack: BatchAck) -> None:
        """Delete what the server has; go on from its cursor."""
        header = batch.header
        if ack.boot_epoch != header.boot_epoch or ack.last_sequence < header.first_sequence - 1:
            # It is another one, or what it acknowledged was deleted by an older version of this
            # program, which remembered nothing. What is left starts a count of its own.
            self._log(
                f"the server knows this robot's recording up to {ack.last_sequence} and "
                f"{header.first_sequence - 1} had been acknowledged: going on with what is here"
            )
            self._reader.renumber_from(batch.first_number)
            self._waiting = None
            return
        through = min(
            batch.first_number + ack.last_sequence - header.first_sequence, batch.last_number
        )
        if through < batch.first_number:  # a conflict, and yet our batch is the next one
            self._back_off()
            return
        server = self._refill.server
        if server is not None:  # before it leaves the outbox
            self._sent.keep(server, header, batch.files)
        self._acknowledged_training += self._reader.delete_through(through, server)
        self._forget_suspicion(through)
        self._drop_waiting(through)

    def _refuse(self, batch: UplinkBatch, refused: ItemRefused) -> None:
        """Set the rows that the server names aside, once those before them are sent."""
        behind = batch.first_number - batch.header.first_sequence
        first, last = behind + refused.first_sequence, behind + refused.last_sequence
        if first > batch.first_number:
            self._cut_before = first
        else:
            self._set_aside(batch, last, refused.detail)

    async def _suspect(self, batch: UplinkBatch, sentence: str) -> str:
        """Something in the batch may be what the server cannot answer to: halve it, then count.

        Gives the sentence about it.
        """
        rows = batch.last_number - batch.first_number + 1
        if rows > 1:
            self._short_until, self._short_rows = batch.last_number, rows // 2
            self._same_answers = 0
            return sentence
        self._same_answers += 1
        if self._same_answers < _SAME_ANSWERS:
            return sentence
        if self._server_works:
            self._set_aside(batch, batch.last_number, sentence)
            return sentence
        if await self._takes_another(batch.first_number):
            # It may have come back just now: the row gets one more chance.
            self._server_works, self._backoff_s = True, 0.0
            return sentence
        return f"the server refuses everything, which is kept and sent later: {sentence}"

    async def _takes_another(self, suspect: int) -> bool:
        """Whether the server takes, or judges, a row from behind; each time another one is tried.

        The row stays in the outbox, where it begins an epoch: when its turn comes, the server
        knows it. Further and further back, so that many bad rows are soon passed.
        """
        assert self._waiting is not None
        step = max(2 * (self._tried - suspect), 1) if self._tried > suspect else 1
        number = self._reader.similar(self._waiting.rows[0], suspect + step, self._stored)
        self._tried = number or 0  # from the front again
        if number is None:
            return False
        self._reader.divide_at(number)
        self._waiting = None  # it ends before that row now
        try:
            behind = self._reader.pending(number - 1, 1)
        except UnreadableRow:
            return False
        if behind is None:
            return False
        answer = await self._post(cut_batch(behind, behind.rows, self._robot))
        if answer.verdict is BatchVerdict.STORED:
            self._stored.add(number)
        return answer.verdict in (BatchVerdict.STORED, BatchVerdict.REFUSED)

    def _set_aside(self, batch: UplinkBatch, last: int, sentence: str) -> None:
        """Rows from the first one of `batch` to number `last`."""
        self._forget_suspicion(last)
        waiting = self._waiting
        episode = None if waiting is None else _episode_of(waiting.rows[0])
        if episode is None or episode not in self._told:
            self._told.add(episode)
            what = "an event" if episode is None else f"a part of episode {episode}"
            self._log(f"the server refuses {what}, kept in the outbox and set aside: {sentence}")
        self._reader.set_aside(batch.first_number, last, sentence)
        self._waiting = None

    def _forget_suspicion(self, through: int) -> None:
        """The rows up to `through` are dealt with."""
        self._same_answers, self._server_works, self._tried = 0, False, 0
        self._stored = {number for number in self._stored if number > through}

    def _answered(self) -> None:
        if self._problem:
            self._log("the server takes what was recorded again")
        self._problem, self._connected, self._backoff_s = "", True, 0.0

    def _say(self, sentence: str) -> None:
        if sentence != self._problem:
            self._problem = sentence
            self._log(sentence)

    def _back_off(self) -> None:
        """Exponential, with jitter, so that many robots do not come back at the same instant."""
        ceiling = min(max(2 * self._backoff_s, _FIRST_BACKOFF_S), self._longest_backoff_s)
        self._backoff_s = ceiling * random.uniform(0.5, 1.0)


def _names_rows_of(batch: UplinkBatch, refused: ItemRefused) -> bool:
    header = batch.header
    first, last = refused.first_sequence, refused.last_sequence
    return header.first_sequence <= first <= last <= header.last_sequence


def _episode_of(row: OutboxRow) -> UUID | None:
    content = row.content
    return content.step.episode_id if isinstance(content, RecordedStep) else content.episode_id
