"""A server that was restored from a backup lacks what it had acknowledged: it is sent again.

Before anything is sent, the server says which one it is and up to where it has each epoch
(`look`). What it lacks of what it once acknowledged comes from the kept batches, in recorded order,
one between two fresh ones. A fresh row whose episode the server lacks a part of would be refused,
or end the episode without its steps: that part goes ahead of its turn (`make_way`).

The server knows again what it has, so that a robot or a server may die meanwhile. What the robot
keeps no more, and what the server will not take without it, is noted there as lost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from robot_rl.daemon.link.ingest_client import IngestClient
from robot_rl.daemon.link.uplink_answer import BatchVerdict
from robot_rl.daemon.link.uplink_batch import runs_of, sequences
from robot_rl.daemon.outbox.reader import EPOCHS_REMEMBERED, AcknowledgedEpoch, OutboxReader
from robot_rl.daemon.outbox.sent import KeptBatch, SentBatches
from robot_rl.schema.ingest import BatchHeader, ItemRefused

_AGAIN_S = 2.0  # after the server did not take a kept batch
_GONE = "the robot keeps them no more"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lacking:
    """Rows of an epoch behind `after`, up to `through`."""

    after: int
    through: int


class Refill:
    """Raises what reading the outbox raises, and nothing that a server can cause."""

    def __init__(
        self,
        reader: OutboxReader,
        sent: SentBatches,
        ingest: IngestClient,
        log: Callable[[str], None],
    ) -> None:
        self._reader, self._sent, self._ingest, self._log = reader, sent, ingest, log
        self.server: UUID | None = None
        """Which one takes what is sent; None: to be asked before anything is."""
        self.lost = 0
        """Rows that were found to be lost, since the start."""
        self._cursors: dict[UUID, int] = {}
        self._lacking: dict[UUID, _Lacking] = {}  # in recorded order
        self._ahead: set[UUID] = set()  # episodes of which the server has all that is kept
        self._not_before_s = 0.0
        self._said = ""

    @property
    def rows(self) -> int:
        """How many are still to be sent again, or found lost."""
        return sum(each.through - each.after for each in self._lacking.values())

    @property
    def due(self) -> bool:
        return bool(self._lacking) and time.monotonic() >= self._not_before_s

    def forget(self) -> None:
        """The server may be another one by now, or be restored."""
        self.server = None

    def stored(self, epoch: UUID) -> int:
        """Up to where the server has the epoch, as it said last."""
        return self._cursors.get(epoch, 0)

    def lacks(self, epoch: UUID) -> bool:
        return epoch in self._lacking

    async def look(self, also: UUID | None = None) -> str:
        """Ask the server what it has; a sentence when it does not say."""
        known = self._reader.acknowledged()
        epochs = [each.epoch for each in known if each.epoch != also]
        epochs += [] if also is None else [also]
        answer = await self._ingest.cursors(epochs[-EPOCHS_REMEMBERED:])
        if isinstance(answer, str):
            return answer
        self._cursors = {ack.boot_epoch: ack.last_sequence for ack in answer.cursors}
        self._other_server(known, answer.server_id)
        self._lacking = {
            each.epoch: _Lacking(after=self.stored(each.epoch), through=each.last)
            for each in known
            if each.server == answer.server_id and self.stored(each.epoch) < each.last
        }
        self._ahead.clear()
        self.server = answer.server_id
        if self._lacking:
            self._say(
                f"the server was restored from a backup: it lacks {self.rows} steps and events "
                "that it had acknowledged, which are sent again"
            )
            self._begin_anew()
        return ""

    async def make_way(self, header: BatchHeader) -> str:
        """Before fresh rows: what the server lacks of their episodes. A sentence when it failed."""
        server = self.server
        if not self._lacking or server is None:
            return ""
        for episode in dict.fromkeys(item.episode_id for item in header.items):
            if episode is None or episode in self._ahead:
                continue
            for kept in self._sent.of_episode(server, episode):
                lacking = self._lacking.get(kept.header.boot_epoch)
                if lacking is None or kept.header.last_sequence <= lacking.after:
                    continue
                ahead = replace(kept, header=kept.header.model_copy(update={"ahead": True}))
                for part in runs_of(ahead, lambda item, _, of=episode: item.episode_id == of):
                    answer = await self._ingest.post(part.header, part.files)
                    if answer.verdict not in (BatchVerdict.STORED, BatchVerdict.REFUSED):
                        return answer.sentence
            self._ahead.add(episode)
        return ""

    async def send_one(self) -> None:
        """The next kept batch, or a word about one that is lost."""
        epoch, lacking = next(iter(self._lacking.items()))
        server = self.server
        if server is None:
            return
        kept = self._sent.after(server, epoch, lacking.after)
        if kept is None or kept.header.first_sequence > lacking.through:
            await self._give_up(epoch, lacking.through, _GONE)
            return
        if kept.header.first_sequence > lacking.after + 1:
            await self._give_up(epoch, kept.header.first_sequence - 1, _GONE)
            return
        await self._send(kept, lacking)

    async def _send(self, kept: KeptBatch, lacking: _Lacking) -> None:
        header = kept.header
        rest = _behind(kept, lacking.after)
        answer = await self._ingest.post(rest.header, rest.files)
        if answer.ack is not None and answer.verdict is BatchVerdict.STORED:
            self._advance(header.boot_epoch, answer.ack.last_sequence)
        elif answer.refused is not None:
            await self._skip(rest, answer.refused)
        elif answer.verdict is BatchVerdict.CONFLICT:
            self.forget()
        else:
            self._wait(answer.sentence)

    async def _skip(self, batch: KeptBatch, refused: ItemRefused) -> None:
        """Send what comes before the item that will never be taken, and go on behind that."""
        epoch = batch.header.boot_epoch
        first, last = next(
            (
                (first, last)
                for (first, last) in sequences(batch.header)
                if first <= refused.first_sequence <= last
            ),
            (batch.header.first_sequence, batch.header.last_sequence),
        )
        if first > batch.header.first_sequence:
            before = _before(batch, first)
            answer = await self._ingest.post(before.header, before.files)
            if answer.verdict is not BatchVerdict.STORED:
                self._wait(answer.sentence)
                return
            self._advance(epoch, before.header.last_sequence)
        await self._give_up(epoch, last, refused.detail)

    async def _give_up(self, epoch: UUID, through: int, reason: str) -> None:
        """Nobody has the rows up to `through` any more, or can do anything with them."""
        ack = await self._ingest.lost(epoch, through, reason)
        if ack is None:
            self._wait("the server does not hear what is lost")
            return
        lost = min(through, self._lacking[epoch].through) - self._lacking[epoch].after
        self.lost += lost
        self._say(
            "the server was restored from a backup, and steps and events that it lacks are lost: "
            f"{reason}; `robot-rl db check` on the server counts them"
        )
        self._advance(epoch, ack.last_sequence)

    def _advance(self, epoch: UUID, last: int) -> None:
        lacking = self._lacking.pop(epoch)
        if last < lacking.through:
            # Back in its place: it is the first one.
            self._lacking = {
                epoch: replace(lacking, after=max(last, lacking.after)),
                **self._lacking,
            }
        elif not self._lacking:
            self._say(f"the restored server has again what is kept; {self.lost} are lost")

    def _begin_anew(self) -> None:
        """Fresh rows of an epoch that the server lacks a part of get a count of their own."""
        found = self._reader.next_row()
        if found is not None and found[0] in self._lacking:
            self._reader.divide_at(found[1])

    def _other_server(self, known: list[AcknowledgedEpoch], server: UUID) -> None:
        if known and all(each.server != server for each in known):
            self._say(
                f"this is another server ({server}) than the one that has what was sent before: "
                "it gets what is recorded from now on"
            )

    def _wait(self, sentence: str) -> None:
        self._not_before_s = time.monotonic() + _AGAIN_S
        self._say(f"what the server lacks waits: {sentence}")
        self.forget()

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._log(sentence)


def _behind(kept: KeptBatch, sequence: int) -> KeptBatch:
    """Its items from the first one on that holds a row behind `sequence`."""
    firsts = [first for first, last in sequences(kept.header) if last > sequence]
    return _cut(kept, firsts[0], kept.header.last_sequence)


def _before(kept: KeptBatch, sequence: int) -> KeptBatch:
    return _cut(kept, kept.header.first_sequence, sequence - 1)


def _cut(kept: KeptBatch, first: int, last: int) -> KeptBatch:
    """The items whose rows are `first` to `last`."""
    (found,) = runs_of(kept, lambda _, rows: first <= rows[0] and rows[1] <= last)
    return found
