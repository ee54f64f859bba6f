"""What will never be stored is refused item by item, by name, and never acknowledged."""

import hashlib
import math
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pyarrow as pa
import pytest
from sqlalchemy import func, select

from robot_rl.schema.episode import InterventionEnded, ResetEnded, SafetyEvent
from robot_rl.schema.ingest import ItemRefused
from robot_rl.schema.message import TEXT_LIMIT, new_id, utc_now
from robot_rl.schema.segment import BadSegment, RecordedStep, read_table
from robot_rl.server.tables import Base, EpisodeTable, FeedTable, SegmentTable
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, Batch, Recording, arm, of_size, post
from tests.server.test_ingest import cursor

OTHER = "panda_2"


@pytest.fixture
def robot(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client("robot", ROBOT) as client:
        yield client


@pytest.fixture
def other(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client("robot", OTHER) as client:
        yield client


def refused(answer: httpx.Response, first: int, last: int | None = None) -> str:
    """The sentence of a refusal of these sequence numbers."""
    assert answer.status_code == 422, answer.text
    item = ItemRefused.model_validate_json(answer.content)
    assert (item.first_sequence, item.last_sequence) == (first, last or first)
    assert "\n" not in item.detail
    return item.detail


def count(server: RunningServer, table: type[Base]) -> int:
    with server.database.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def episode_row(server: RunningServer, episode_id: UUID) -> Any:
    query = select(EpisodeTable.__table__).where(EpisodeTable.episode_id == episode_id)
    with server.database.engine.connect() as connection:
        return connection.execute(query).one()


# ---- content ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ("it slipped\0", "note: Value error, the text holds a NUL character"),
        ("x" * 900_000, f"note: String should have at most {TEXT_LIMIT} characters"),
    ],
)
def test_a_note_that_cannot_be_stored(
    server: RunningServer, robot: httpx.Client, note: str, sentence: str
) -> None:
    recording = Recording()
    episode_id = recording.start()
    recording.step(episode_id, 0, last=True)
    recording.end(episode_id, 0)
    recording.spoil(2, note=note)
    said = refused(post(robot, recording.batch()), 3)
    assert f"the episode_ended: {sentence}" in said
    assert (cursor(robot, recording), count(server, FeedTable)) == (0, 0)
    assert post(robot, recording.batch(1, 2)).json()["last_sequence"] == 2


def test_a_number_that_does_not_fit(server: RunningServer, robot: httpx.Client) -> None:
    recording = Recording()
    recording.start()
    recording.spoil(0, seed=2**63)
    said = refused(post(robot, recording.batch()), 1)
    assert "seed: Input should be less than or equal to 9223372036854775807" in said


def test_an_event_of_an_episode_that_a_restored_backup_does_not_know(
    server: RunningServer, robot: httpx.Client
) -> None:
    now, lost = utc_now(), new_id()
    recording = Recording()
    recording.rows += [
        SafetyEvent(
            event_id=new_id(), episode_id=lost, code="stop", cause="", by="ada",
            t_robot_ns=1, t_utc=now,
        ),
        ResetEnded(
            reset_id=new_id(), episode_id=lost, seed=1, by="ada",
            started_t_utc=now - timedelta(seconds=3), ended_t_utc=now,
        ),
    ]  # fmt: skip
    recording.activated(3, "0" * 64, episode_id=lost)
    while recording.rows:
        assert "came before its start" in refused(post(robot, recording.batch()), 1)
        del recording.rows[0]


type Spoil = Callable[[dict[str, Any]], None]


def respoilt(batch: Batch, position: int, spoil: Spoil) -> Batch:
    """The batch with one row of its segment changed past every check that a robot makes."""
    (name, data), *_ = batch.files.items()
    table = read_table(data)
    rows = table.to_pylist()
    spoil(rows[position])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))
    return with_part(batch, name, sink.getvalue().to_pybytes())


def with_part(batch: Batch, name: str, data: bytes) -> Batch:
    items = tuple(
        item.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
        if getattr(item, "part", None) == name
        else item
        for item in batch.header.items
    )
    header = batch.header.model_copy(update={"items": items})
    return Batch(header=header, files={**batch.files, name: data})


SPOILS: dict[str, tuple[Spoil, str]] = {
    "NaN action": (lambda row: row.update(executed_action=[math.nan] * 7), "finite number"),
    "invalid source": (lambda row: row.update(source="ghost"), "source: Input should be"),
    "missing arm": (lambda row: row.update(arm=None), "arm: Input should be"),
    "another step's number": (lambda row: row.update(index=77), "it holds step 77"),
    "another episode": (lambda row: row.update(episode_id=str(new_id())), "of episode"),
    "NUL": (lambda row: row.update(operator="a\0"), "operator: Value error, the text holds a NUL"),
    "text": (lambda row: row.update(reject_reason="x" * 4001), "at most 4000 characters"),
    "negative number": (lambda row: row.update(limits=-1), "greater than or equal to 0"),
    "short action": (lambda row: row.update(executed_action=[0.1] * 3), "3 and 7 columns"),
    "other action": (
        lambda row: row.update(executed_action=[0.1] * 3, proposed_action=None),
        "its actions have 3 columns, and those before 7",
    ),
    "joints": (lambda row: row["arm"].update(q_rad=[0.0] * 6), "6 joint positions and 7 speeds"),
    "other joints": (
        lambda row: row["arm"].update(q_rad=[0.0] * 6, dq_rad_s=[0.0] * 6),
        "it measures arm: 6 joints; before: arm: 7 joints",
    ),
    "clock": (lambda row: row.update(t_robot_ns=5), "the robot's clock never goes back"),
    "no picture": (lambda row: row.update(frame_front=b"x" * 99), "picture of front is no JPEG"),
    "half a picture": (
        lambda row: row.update(frame_front=row["frame_front"][:-60]),
        "picture of front is a JPEG that is cut off",
    ),
    "huge picture": (
        lambda row: row.update(frame_front=of_size(row["frame_front"], 60_000)),
        "has 8 × 60000 pixels, at most 4096 × 4096",
    ),
    "long picture": (
        lambda row: row.update(frame_front=b"\xff\xd8" + bytes(5 * 2**20)),
        "picture of front has 5242882 bytes, at most 4194304 are kept",
    ),
}


@pytest.mark.parametrize("name", SPOILS)
def test_steps_are_checked_before_they_are_acknowledged(
    server: RunningServer, robot: httpx.Client, name: str
) -> None:
    spoil, sentence = SPOILS[name]
    recording = Recording()
    recording.episode(5)
    assert sentence in refused(post(robot, respoilt(recording.batch(), 2, spoil)), 4)
    assert cursor(robot, recording) == 0
    assert post(robot, recording.batch()).status_code == 200


def test_a_file_that_is_no_segment_is_refused_whole(
    server: RunningServer, robot: httpx.Client
) -> None:
    recording = Recording()
    recording.episode(5)
    said = refused(post(robot, with_part(recording.batch(), "segment0", b"x" * 100)), 2, 7)
    assert "not an Arrow IPC file" in said


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_small_file_that_would_decode_to_a_huge_one_is_not_decoded(compression: str) -> None:
    rows = pa.table({"index": pa.array([0] * 10**6)})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    data = sink.getvalue().to_pybytes()
    assert len(data) < rows.nbytes / 50
    before = pa.total_allocated_bytes()
    with pytest.raises(BadSegment, match="compressed"):
        read_table(data)
    assert pa.total_allocated_bytes() == before


def renamed(table: pa.Table, name: str, to: str) -> pa.Table:
    return table.rename_columns([to if each == name else each for each in table.schema.names])


def replaced(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def nothing_much(rows: int) -> pa.Array:
    """Lists of millions of empty values each, in no bytes."""
    each = 2**26
    return pa.FixedSizeListArray.from_arrays(pa.nulls(rows * each), each)


TABLES: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "camera": (lambda t: renamed(t, "frame_front", "frame_../etc"), "it has a camera '../etc'"),
    "long camera": (lambda t: renamed(t, "stamp_front", "stamp_" + "x" * 99), "1 to 64 letters"),
    "values without bytes": (
        lambda t: replaced(t, "stale_cameras", nothing_much(t.num_rows)),
        "its column stale_cameras is of fixed_size_list",
    ),
    "unknown column": (lambda t: t.append_column("x", t["index"]), "a column 'x', which no step"),
    "twice": (lambda t: t.append_column("index", t["index"]), "two columns of one name"),
    "an arm of text": (
        lambda t: replaced(t, "arm", pa.array(["up"] * t.num_rows)),
        "its column arm is of string, and must be a struct",
    ),
    "pictures of text": (
        lambda t: replaced(t, "frame_front", pa.array(["up"] * t.num_rows)),
        "its column frame_front is of string, and must be of binary",
    ),
    "big steps": (
        lambda t: replaced(t, "limit_profiles", pa.array([["x" * 1000] * 100] * t.num_rows)),
        "beside their pictures, at most 65536 each are kept",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_those_of_a_step(server: RunningServer, robot: httpx.Client, name: str) -> None:
    change, sentence = TABLES[name]
    recording = Recording()
    recording.episode(5)
    batch = recording.batch()
    (part, data), *_ = batch.files.items()
    whole = read_table(data)
    table = change(whole).replace_schema_metadata(whole.schema.metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    bad = with_part(batch, part, sink.getvalue().to_pybytes())
    assert sentence in refused(post(robot, bad), 2, 7)
    assert post(robot, batch).status_code == 200


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"t_robot_ns": 1}, "the robot's clock never goes back"),
        ({"executed_action": (0.1,) * 3, "proposed_action": None}, "have 3 columns, and those"),
        ({"arms": {"left": arm()}}, "measure left: 7 joints, and those before arm: 7 joints"),
    ],
)
def test_steps_continue_those_of_earlier_batches(
    server: RunningServer, robot: httpx.Client, values: dict[str, Any], sentence: str
) -> None:
    recording = Recording()
    episode_id = recording.start()
    for index in range(3):
        recording.step(episode_id, index)
    assert post(robot, recording.batch()).status_code == 200
    recording.step(episode_id, 3, **values)
    assert sentence in refused(post(robot, recording.batch(5)), 5)
    recording.rows.pop()
    recording.step(episode_id, 3)
    assert post(robot, recording.batch(5)).status_code == 200


def test_rows_that_are_counted_and_not_sent_are_not_acknowledged(
    server: RunningServer, robot: httpx.Client
) -> None:
    recording = Recording()
    recording.episode(2)
    batch = recording.batch()
    longer = batch.header.model_copy(update={"last_sequence": batch.header.last_sequence + 1})
    answer = post(robot, Batch(header=longer, files=batch.files))
    assert answer.status_code == 422
    assert "counts sequences 1 to 6 and holds 5 rows" in answer.json()["detail"]
    assert "first_sequence" not in answer.json()


def test_an_episode_whose_steps_were_refused_ends_incomplete(
    server: RunningServer, robot: httpx.Client
) -> None:
    recording = Recording()
    episode_id = recording.episode(4)
    assert post(robot, recording.batch(1, 3)).status_code == 200
    left = Recording(rows=recording.rows[4:])  # row 4 was set aside: a new count begins
    assert "step 2 is the next one" in refused(post(robot, left.batch()), 1, 2)
    end = Recording(rows=recording.rows[-1:])
    assert post(robot, end.batch()).status_code == 200
    row = episode_row(server, episode_id)
    assert (row.stored_steps, row.steps, row.complete, row.outcome) == (2, 4, False, "success")
    with server.client("learner") as learner:
        *_, ended = learner.get("/api/feed", params={"task": row.task}).json()["items"]
    assert ended["event"]["complete"] is False


# ---- ownership -------------------------------------------------------------------------------


def test_nothing_is_added_to_another_robots_episode(
    server: RunningServer, robot: httpx.Client, other: httpx.Client
) -> None:
    mine = Recording()
    episode_id = mine.episode(4, human=(1, 2))
    assert post(robot, mine.batch(1, 2)).status_code == 200  # its start and step 0
    theirs = Recording(robot=OTHER)
    theirs.step(episode_id, 1, operator="eve")
    theirs.end(episode_id, 0)
    theirs.intervention(episode_id, 0, 0)
    theirs.activated(2, "0" * 64, episode_id=episode_id)
    theirs.rows.append(
        SafetyEvent(
            event_id=new_id(), episode_id=episode_id, code="stop", cause="", by="eve",
            t_robot_ns=1, t_utc=utc_now(),
        )
    )  # fmt: skip
    for row in theirs.rows:
        alone = Recording(robot=OTHER, rows=[row])
        assert f"is of robot {ROBOT}" in refused(post(other, alone.batch()), 1)
    again = Recording(robot=OTHER, rows=[mine.rows[0].model_copy(update={"robot": OTHER})])  # type: ignore[union-attr]
    assert "its robot is panda_1" in refused(post(other, again.batch()), 1)
    assert post(robot, mine.batch(3)).status_code == 200
    row = episode_row(server, episode_id)
    assert (row.stored_steps, row.steps, row.outcome, row.human_steps) == (5, 4, "success", 2)
    with server.database.engine.connect() as connection:
        assert connection.execute(select(func.sum(SegmentTable.count))).scalar_one() == 5


def test_what_differs_from_what_is_stored_is_not_taken_for_known(
    server: RunningServer, robot: httpx.Client
) -> None:
    recording = Recording()
    episode_id = recording.episode(4, human=(1, 2))
    assert post(robot, recording.batch()).status_code == 200
    before = episode_row(server, episode_id)
    assert post(robot, recording.batch(2, 4)).status_code == 200  # another cut of the same
    changed = Recording(boot_epoch=recording.boot_epoch, rows=[*recording.rows])
    step = changed.rows[2]
    assert isinstance(step, RecordedStep)
    changed.rows[2] = RecordedStep(
        step=step.step.model_copy(update={"executed_action": (0.25,) * 7}), images=step.images
    )
    said = refused(post(robot, changed.batch(2, 4)), 2, 4)
    assert "other steps are stored as 0 to 2" in said
    help_ = changed.rows[6]
    assert isinstance(help_, InterventionEnded)
    changed.rows[6] = help_.model_copy(update={"operator": "eve"})
    assert "its operator is ada and eve came" in refused(post(robot, changed.batch(7)), 7)
    ended = Recording()
    ended.end(episode_id, 9)
    assert "has ended after 4 steps" in refused(post(robot, ended.batch()), 1)
    restarted = Recording(rows=recording.rows[:1])  # as an outbox of another count says
    assert "its boot_epoch is" in refused(post(robot, restarted.batch()), 1)
    assert episode_row(server, episode_id) == before
