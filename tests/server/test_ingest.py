"""Batches: in order, once, and never acknowledged before they are stored."""

import random
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from robot_rl.schema.ingest import BatchAck
from robot_rl.schema.message import PROTOCOL_VERSION
from robot_rl.schema.segment import RecordedStep, decode_segment
from robot_rl.server.tables import EpisodeTable, FeedTable, SegmentTable
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, TASK, Batch, Recording, post


@pytest.fixture
def robot(server: RunningServer) -> Any:
    with server.client("robot", ROBOT) as client:
        yield client


def stored_indices(server: RunningServer, episode_id: object) -> list[int]:
    """Indices of the stored steps, in the order of the segments."""
    with server.database.engine.connect() as connection:
        rows = connection.execute(
            select(SegmentTable.segment_id)
            .where(SegmentTable.episode_id == episode_id)
            .order_by(SegmentTable.first_index)
        ).scalars()
        with server.client("learner") as learner:
            return [
                record.step.index
                for segment_id in rows
                for record in decode_segment(learner.get(f"/api/segments/{segment_id}").content)
            ]


def cursor(client: httpx.Client, recording: Recording) -> int:
    answer = client.get(
        "/api/ingest/cursor",
        params={"robot": recording.robot, "boot_epoch": str(recording.boot_epoch)},
    )
    return BatchAck.model_validate_json(answer.content).last_sequence


def test_an_episode_arrives_whole(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    episode_id = recording.episode(12, human=range(4, 8))
    for batch in recording.batches(5):
        answer = post(robot, batch)
        assert answer.status_code == 200, answer.text
        ack = BatchAck.model_validate_json(answer.content)
        assert ack.last_sequence == batch.header.last_sequence
    assert stored_indices(server, episode_id) == list(range(13))
    assert cursor(robot, recording) == len(recording.rows)
    with server.database.engine.connect() as connection:
        episode = connection.execute(select(EpisodeTable.__table__)).one()
    assert (episode.stored_steps, episode.steps, episode.human_steps) == (13, 12, 4)
    assert episode.trainable_steps == 12
    assert (episode.interventions, episode.outcome, episode.policy_version) == (1, "success", 1)


def test_a_step_without_a_picture_or_an_action_is_stored_but_teaches_nothing(
    server: RunningServer, robot: httpx.Client
) -> None:
    recording = Recording()
    recording.episode(6)
    blind, lost = (recording.rows[row] for row in (2, 4))
    assert isinstance(blind, RecordedStep)
    assert isinstance(lost, RecordedStep)
    recording.rows[2] = RecordedStep(step=blind.step, images={})
    nothing = lost.step.model_copy(update={"executed_action": None})
    recording.rows[4] = RecordedStep(step=nothing, images=lost.images)
    for batch in recording.batches(4):
        assert post(robot, batch).status_code == 200
    with server.database.engine.connect() as connection:
        episode = connection.execute(select(EpisodeTable.__table__)).one()
    assert (episode.stored_steps, episode.trainable_steps) == (7, 4)


def test_a_batch_sent_twice_is_stored_once(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    episode_id = recording.episode(4)
    batch = recording.batch()
    answers = [post(robot, batch).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert stored_indices(server, episode_id) == list(range(5))
    with server.database.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(FeedTable)).scalar_one() == 3


def test_a_batch_out_of_order_is_refused(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    recording.episode(8)
    assert post(robot, recording.batch(1, 3)).status_code == 200
    refused = post(robot, recording.batch(6, 8))
    assert refused.status_code == 409
    assert "the next one of panda_1 is 4" in refused.json()["detail"]
    assert cursor(robot, recording) == 3


def test_partly_known_batches_are_stored_once(
    server: RunningServer, robot: httpx.Client, seed: int
) -> None:
    """Any cutting of the outbox, with any overlap, gives the same episode."""
    random_ = random.Random(seed)
    recording = Recording()
    episodes = [recording.episode(9, human=(3, 4)), recording.episode(6)]
    known = 0
    while known < len(recording.rows):
        first = random_.randint(max(1, known - 5), known + 1)
        last = min(random_.randint(known + 1, known + 6), len(recording.rows))
        assert post(robot, recording.batch(first, last)).json()["last_sequence"] == last
        known = last
    for episode_id, steps in zip(episodes, (9, 6), strict=True):
        assert stored_indices(server, episode_id) == list(range(steps + 1))
    with server.database.engine.connect() as connection:
        kinds = [
            event["kind"]
            for event in connection.execute(
                select(FeedTable.event).order_by(FeedTable.number)
            ).scalars()
        ]
        humans = connection.execute(select(EpisodeTable.human_steps)).scalars().all()
    assert sorted(humans) == [0, 2]
    assert [kinds.count(k) for k in ("episode_started", "episode_ended", "intervention_ended")] == [
        2,
        2,
        1,
    ]


def test_a_new_outbox_starts_a_count_of_its_own(server: RunningServer, robot: httpx.Client) -> None:
    first, second = Recording(), Recording()
    for recording in (first, second):
        recording.episode(2)
        assert post(robot, recording.batch()).status_code == 200
    assert cursor(robot, first) == cursor(robot, second) == len(first.rows)


def damaged(batch: Batch) -> Batch:
    name, data = next(iter(batch.files.items()))
    return Batch(header=batch.header, files={**batch.files, name: data[:-1] + b"x"})


def without_part(batch: Batch) -> Batch:
    return Batch(header=batch.header, files={})


def with_stranger(batch: Batch) -> Batch:
    return Batch(header=batch.header, files={**batch.files, "more": b"x"})


def of_another_protocol(batch: Batch) -> Batch:
    return Batch(header=batch.header.model_copy(update={"protocol": 99}), files=batch.files)


@pytest.mark.parametrize(
    ("spoil", "status", "sentence"),
    [
        (damaged, 422, "damaged on the way"),
        (without_part, 422, "does not hold it"),
        (with_stranger, 422, "'more' that no item names"),
        (of_another_protocol, 426, f"protocol 99 and this server {PROTOCOL_VERSION}"),
    ],
)
def test_a_bad_batch_is_refused_whole(
    server: RunningServer, robot: httpx.Client, spoil: Any, status: int, sentence: str
) -> None:
    recording = Recording()
    recording.episode(3)
    answer = post(robot, spoil(recording.batch()))
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert cursor(robot, recording) == 0
    assert post(robot, recording.batch()).status_code == 200


def test_steps_before_their_episode_are_refused(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    recording.episode(3)
    del recording.rows[0]
    answer = post(robot, recording.batch())
    assert answer.status_code == 422
    assert "came before its start" in answer.json()["detail"]


def test_a_gap_in_an_episode_is_refused(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    recording.episode(6)
    assert post(robot, recording.batch(1, 2)).status_code == 200
    del recording.rows[2]
    answer = post(robot, recording.batch(3, 5))
    assert answer.status_code == 422
    assert "step 1 is the next one" in answer.json()["detail"]


def test_a_robot_cannot_write_for_another(server: RunningServer) -> None:
    recording = Recording()
    recording.episode(1)
    with server.client("robot", "somebody_else") as other:
        assert post(other, recording.batch()).status_code == 403
    with server.client("robot", "*") as any_robot:
        assert post(any_robot, recording.batch()).status_code == 200
    with server.client("learner") as learner:
        assert post(learner, recording.batch()).status_code == 403


def test_a_garbled_request_is_one_sentence(server: RunningServer, robot: httpx.Client) -> None:
    answer = robot.post("/api/ingest", content=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "the request must be multipart/form-data",
    )
    answer = robot.post("/api/ingest", files=[("header", (None, '{"robot": 1}'))])
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("header: ")


def test_the_task_of_the_feed_is_the_episodes(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    recording.episode(2)
    recording.episode(2, task="insert_peg")
    post(robot, recording.batch())
    with server.client("learner") as learner:
        for task in (TASK, "insert_peg"):
            items = learner.get("/api/feed", params={"task": task}).json()["items"]
            assert [item["event"]["kind"] for item in items] == [
                "episode_started",
                "segment_stored",
                "episode_ended",
            ]
