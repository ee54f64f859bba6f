"""The durable path: everything arrives, in order, once, whatever the network and the server do."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.recording import ended, recorded, sent_beside, started, write_episode
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.link.uplink_batch import DRIVEN_LINGER_S, cut_batch, ripe_rows
from robot_rl.daemon.outbox.file import OutboxRow
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted
from robot_rl.schema.ingest import BatchAck, BatchHeader, CursorsAsked, SegmentRef, ServerCursors
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep, decode_segment
from safety.faults import FaultCode


class IngestServer:
    """The server's side of the contract, in memory, with faults that can be switched on."""

    def __init__(self) -> None:
        self.server_id = new_id()
        self.cursors: dict[UUID, int] = {}
        self.steps: list[tuple[UUID, int]] = []
        self.events: list[object] = []
        self.batches: list[BatchHeader] = []
        self.refusals = 0
        self.lose_answer: Callable[[], bool] = lambda: False  # stored, and the answer is lost
        self.fail: Callable[[], int] = lambda: 0  # an HTTP status before anything is stored
        self.refuse: Callable[[object], bool] = lambda item: False
        self.row_refused: int | None = None  # of a segment: this step only is named
        self.names: Callable[[], tuple[int, int] | None] = lambda: None  # rows, before all else
        self.fail_at: Callable[[object], int] = lambda item: 0  # and names no item
        self.app = Starlette(
            routes=[
                Route("/api/ingest", self.post, methods=["POST"]),
                Route("/api/ingest/cursors", self.asked, methods=["POST"]),
            ]
        )

    async def asked(self, request: Request) -> Response:
        asked = CursorsAsked.model_validate_json(await request.body())
        cursors = ServerCursors(
            server_id=self.server_id,
            generation=self.server_id,
            cursors=tuple(
                BatchAck(boot_epoch=epoch, last_sequence=self.cursors[epoch])
                for epoch in asked.boot_epochs
                if epoch in self.cursors
            ),
        )
        return Response(cursors.model_dump_json())

    async def post(self, request: Request) -> Response:
        if status := self.fail():
            return JSONResponse({"detail": "a fault of the test"}, status)
        if named := self.names():
            rows = {"first_sequence": named[0], "last_sequence": named[1]}
            return JSONResponse({"detail": "a fault of the test", **rows}, 422)
        async with request.form() as form:
            header = BatchHeader.model_validate_json(str(form["header"]))
            files = {
                name: await part.read()
                for name, part in form.items()
                if not isinstance(part, str)
            }  # fmt: skip
        self.batches.append(header)
        last = self.cursors.get(header.boot_epoch, 0)
        if header.last_sequence <= last:
            return self._ack(header.boot_epoch)
        if header.first_sequence != last + 1:
            return JSONResponse({"detail": f"{last + 1} is the next one"}, 409)
        first = header.first_sequence
        for item in header.items:
            count = item.count if isinstance(item, SegmentRef) else 1
            if self.refuse(item):
                rows = {"first_sequence": first, "last_sequence": first + count - 1}
                if self.row_refused is not None and isinstance(item, SegmentRef):
                    at = first + self.row_refused - item.first_index
                    rows = {"first_sequence": at, "last_sequence": at}
                self.refusals += 1
                return JSONResponse({"detail": "this will never be taken", **rows}, 422)
            if status := self.fail_at(item):
                return JSONResponse({"detail": "a defect of the server"}, status)
            first += count
        for item in header.items:
            if isinstance(item, SegmentRef):
                assert hashlib.sha256(files[item.part]).hexdigest() == item.sha256
                steps = [record.step for record in decode_segment(files[item.part])]
                assert len(steps) == item.count
                self.steps += [(step.episode_id, step.index) for step in steps]
            else:
                self.events.append(item)
        self.cursors[header.boot_epoch] = header.last_sequence
        if self.lose_answer():
            raise httpx.ReadError("the answer was lost")
        return self._ack(header.boot_epoch)

    def _ack(self, epoch: UUID) -> Response:
        ack = BatchAck(boot_epoch=epoch, last_sequence=self.cursors.get(epoch, 0))
        return JSONResponse(ack.model_dump(mode="json"))


def drain(path: Path, server: IngestServer, *, seconds: float = 20.0) -> tuple[Uplink, list[str]]:
    """Run the uplink until the outbox is empty."""
    said: list[str] = []

    async def work() -> Uplink:
        transport = httpx.ASGITransport(app=server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            reader = OutboxReader(path)
            uplink = Uplink(
                reader, client, sent_beside(path), robot="panda-sim", log=said.append,
                linger_s=0.0, poll_s=0.005, longest_backoff_s=0.02,
            )  # fmt: skip
            running = asyncio.create_task(uplink.run())
            async with asyncio.timeout(seconds):
                while (  # noqa: ASYNC110 (another process would be asked so)
                    reader.counts().pending or uplink.state.refill
                ):
                    await asyncio.sleep(0.005)
            uplink.drain()
            await running
            reader.close()
            return uplink

    return asyncio.run(work()), said


def test_everything_arrives_in_order_and_is_then_deleted(tmp_path: Path) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episodes = [write_episode(writer, 150), write_episode(writer, 3)]
    uplink, said = drain(path, server)
    wanted = [(episodes[0], i) for i in range(151)] + [(episodes[1], i) for i in range(4)]
    assert server.steps == wanted
    kinds = [type(event) for event in server.events]
    assert kinds == [EpisodeStarted, EpisodeEnded] * 2
    assert uplink.state.acknowledged_training == 153
    assert uplink.state.connected
    assert said == []
    for header in server.batches:
        rows = header.last_sequence - header.first_sequence + 1
        assert rows <= 64


@pytest.mark.injects(FaultCode.NETWORK_CUT)
def test_lost_answers_and_failures_store_nothing_twice_and_lose_nothing(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    server.lose_answer = lambda: bool(rng.random() < 0.4)
    server.fail = lambda: int(rng.choice([0, 0, 0, 500, 503, 408]))
    with OutboxWriter(path, linger_s=0.0) as writer:
        episodes = [write_episode(writer, 40) for _ in range(4)]
    _, said = drain(path, server, seconds=60.0)
    assert server.steps == [(e, i) for e in episodes for i in range(41)]
    assert len(server.events) == 8
    assert len(server.batches) > 8
    assert any("does not take" in line or "fault of the test" in line for line in said)


@pytest.mark.injects(FaultCode.NETWORK_CUT)
def test_a_robot_that_was_away_goes_on_from_the_servers_cursor(tmp_path: Path) -> None:
    """The answer was lost and the process with it: the next one finds the batch stored already."""
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 100)
    reader = OutboxReader(path)
    pending = reader.pending(0, 64)
    assert pending is not None
    server.cursors[pending.epoch] = 50  # it has the first fifty rows
    drain(path, server)
    # The first row is the episode's start: step 49 is row 51, the first one it lacks.
    assert server.steps == [(episode, index) for index in range(49, 101)]
    assert server.cursors[pending.epoch] == 103
    reader.close()


@pytest.mark.parametrize("again", [True, False], ids=["restored", "another"])
def test_a_restored_server_gets_all_again_and_another_one_what_is_left(
    tmp_path: Path, again: bool
) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        first = write_episode(writer, 10)
        assert writer.flush()
        drain(path, server)
        server.cursors.clear()
        server.steps.clear()
        if not again:
            server.server_id = new_id()
        second = write_episode(writer, 10)
    _, said = drain(path, server)
    wanted = [second, first] if again else [second]  # fresh ones wait for none
    assert sorted(server.steps) == sorted((of, index) for of in wanted for index in range(11))
    assert server.steps[0] == (second, 0)
    assert any(("restored" if again else "another server") in line for line in said), said


def test_what_the_server_refuses_for_good_is_set_aside_and_the_rest_arrives(
    tmp_path: Path,
) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        first, bad, last = (write_episode(writer, 5) for _ in range(3))
    server.refuse = lambda item: getattr(item, "episode_id", None) == bad
    uplink, said = drain(path, server)
    assert server.steps == [(e, i) for e in (first, last) for i in range(6)]
    assert uplink.state.counts.set_aside == 8
    assert len([line for line in said if "set aside" in line]) == 1  # once per episode


def test_refusals_in_a_row_hold_up_nothing(tmp_path: Path) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        bad = {write_episode(writer, 2) for _ in range(6)}
        good = write_episode(writer, 70)
    server.refuse = lambda item: getattr(item, "episode_id", None) in bad
    uplink, said = drain(path, server)
    assert server.steps == [(good, index) for index in range(71)]
    assert (uplink.state.counts.set_aside, uplink.state.problem) == (6 * 5, "")
    assert len([line for line in said if "set aside" in line]) == 6
    assert uplink.state.connected


def test_one_bad_row_costs_itself_and_two_answers(tmp_path: Path) -> None:
    """What is before it in the batch is stored first; the rows behind it are sent as ever."""
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        one, two = write_episode(writer, 3), write_episode(writer, 3)
    server.refuse = lambda item: isinstance(item, EpisodeEnded) and item.episode_id == one
    uplink, _ = drain(path, server)
    assert server.steps == [(episode, index) for episode in (one, two) for index in range(4)]
    assert uplink.state.counts.set_aside == 1
    assert server.refusals == 2  # in its batch, and at the head of the next


@pytest.mark.parametrize("status", [500, 422, 413])
def test_an_answer_that_names_no_row_is_tried_again_and_then_costs_one_row(
    tmp_path: Path, status: int
) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episodes = [write_episode(writer, 20) for _ in range(2)]
    bad, asked = episodes[0], 0

    def fail_at(item: object) -> int:
        nonlocal asked
        if isinstance(item, EpisodeEnded) and item.episode_id == bad:
            asked += 1
            return status
        return 0

    server.fail_at = fail_at
    uplink, said = drain(path, server)
    assert server.steps == [(episode, index) for episode in episodes for index in range(21)]
    assert uplink.state.counts.set_aside == 1
    assert asked >= 5
    assert any("a defect of the server" in line and "set aside" in line for line in said)


@pytest.mark.parametrize("status", [500, 413])
def test_a_server_that_answers_so_to_everything_costs_nothing(tmp_path: Path, status: int) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episodes = [write_episode(writer, 20) for _ in range(3)]
    attempts = iter([status] * 120)
    server.fail = lambda: next(attempts, 0)
    uplink, said = drain(path, server)
    assert uplink.state.counts.set_aside == 0
    assert set(server.steps) == {(episode, index) for episode in episodes for index in range(21)}
    assert len([line for line in said if "refuses everything" in line]) == 1


def test_a_server_that_stores_events_and_no_steps_costs_nothing(tmp_path: Path) -> None:
    """Its folder of pictures is read-only."""
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episodes = [write_episode(writer, 5) for _ in range(3)]
    attempts = iter([500] * 40)
    server.fail_at = lambda item: next(attempts, 0) if isinstance(item, SegmentRef) else 0
    uplink, _ = drain(path, server)
    assert uplink.state.counts.set_aside == 0
    assert len(server.steps) == len(set(server.steps)) == 6 * len(episodes)


@pytest.mark.parametrize("count", [2, 7])
def test_rows_in_a_row_that_get_no_useful_answer_block_nothing(tmp_path: Path, count: int) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        one, two = write_episode(writer, 30), write_episode(writer, 30)
    bad = range(5, 5 + count)

    def fail_at(item: object) -> int:
        if isinstance(item, SegmentRef) and item.episode_id == one:
            hit = any(i in bad for i in range(item.first_index, item.first_index + item.count))
            return 500 if hit else 0
        return 0

    server.fail_at = fail_at
    uplink, _ = drain(path, server)
    wanted = {(episode, index) for episode in (one, two) for index in range(31)}
    assert set(server.steps) == wanted - {(one, index) for index in bad}
    assert len(server.steps) == len(set(server.steps))
    assert uplink.state.counts.set_aside == count


def test_a_named_row_behind_one_that_gets_no_useful_answer_blocks_nothing(tmp_path: Path) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        one, two = write_episode(writer, 8), write_episode(writer, 3)

    def holds(item: object, index: int) -> bool:
        return (
            isinstance(item, SegmentRef)
            and item.episode_id == one
            and item.first_index <= index < item.first_index + item.count
        )

    server.row_refused = 3
    server.refuse = lambda item: holds(item, 3)
    server.fail_at = lambda item: 500 if holds(item, 1) else 0
    uplink, _ = drain(path, server)
    assert (two, 3) in server.steps
    assert {(one, 0), (one, 2), (one, 4)} <= set(server.steps)
    assert uplink.state.counts.set_aside == 2


def test_a_refusal_that_names_rows_of_no_batch_names_nothing(tmp_path: Path) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 3)
    answers = iter([(900, 901), (3, 2), (1, 900)])

    server.names = lambda: next(answers, None)
    uplink, _ = drain(path, server)
    assert server.steps == [(episode, index) for index in range(4)]
    assert uplink.state.counts.set_aside == 0


@pytest.mark.parametrize("status", [401, 426, 429, 502, 503])
def test_an_answer_about_the_server_costs_nothing(tmp_path: Path, status: int) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 3)
    attempts = iter([status] * 20)
    server.fail = lambda: next(attempts, 0)
    uplink, _ = drain(path, server)
    assert server.steps == [(episode, index) for index in range(4)]
    assert uplink.state.counts.set_aside == 0


def test_a_refused_token_keeps_everything(tmp_path: Path) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 3)
    attempts = iter([401, 401, 403])
    server.fail = lambda: next(attempts, 0)
    _, said = drain(path, server)
    assert server.steps == [(episode, index) for index in range(4)]
    assert len([line for line in said if "token" in line]) == 1  # said once, tried three times


def rows_of(*contents: object) -> list[OutboxRow]:
    return [
        OutboxRow(number=number, training=False, content=content)  # type: ignore[arg-type]
        for number, content in enumerate(contents, start=1)
    ]


def test_batches_are_cut_by_robot_time_by_events_and_by_size() -> None:
    episode = new_id()
    steps = [recorded(episode, index) for index in range(80)]
    assert ripe_rows(rows_of(*steps[:3]), 0.0, 0.5) == 0  # too few, too young
    assert ripe_rows(rows_of(*steps[:3]), 0.6, 0.5) == 3
    alone = rows_of(steps[0], steps[2])  # every second one was driven by a person
    assert ripe_rows(alone, DRIVEN_LINGER_S, 0.5) == 0
    assert ripe_rows(rows_of(*steps[:3]), DRIVEN_LINGER_S, 0.5) == 3, "a person watches"
    assert ripe_rows(rows_of(*steps[:3]), 0.0, 0.0) == 3
    assert ripe_rows(rows_of(*steps[:20]), 0.0, 0.5) == 5  # 500 ms at 10 Hz
    quick = [
        RecordedStep(step=r.step.model_copy(update={"t_robot_ns": 0}), images=r.images)
        for r in steps
    ]
    assert ripe_rows(rows_of(*quick), 0.0, 0.5) == 64
    assert ripe_rows(rows_of(*steps[:2], ended(episode, 1)), 0.0, 0.5) == 3
    other = new_id()
    both = rows_of(*steps[:2], ended(episode, 1), started(other), recorded(other, 0))
    assert ripe_rows(both, 0.0, 0.5) == 4


def test_a_segment_never_mixes_episodes_gaps_or_camera_sets(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    one, two = new_id(), new_id()
    bare = recorded(two, 1)
    contents = [
        recorded(one, 0), recorded(one, 1), recorded(one, 3), recorded(two, 0),
        RecordedStep(step=bare.step, images={"front": b"x"}),
    ]  # fmt: skip
    with OutboxWriter(path, linger_s=0.0) as writer:
        for content in contents:
            writer.append_step(content)
    reader = OutboxReader(path)
    pending = reader.pending(0, 64)
    assert pending is not None
    batch = cut_batch(pending, pending.rows, "panda-sim")
    spans = [(i.first_index, i.count) for i in batch.header.items if isinstance(i, SegmentRef)]
    assert spans == [(0, 2), (3, 1), (0, 1), (1, 1)]
    reader.close()
