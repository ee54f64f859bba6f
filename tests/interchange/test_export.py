"""An export goes on where it was cut off, says plainly what it cannot do, and loses nothing."""

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from robot_rl.cli import app
from robot_rl.errors import PlainError
from robot_rl.interchange import job, video
from robot_rl.interchange.episode import EpisodeSource, ExportedEpisode, NotExportable
from robot_rl.interchange.job import ExportPlan, ExportRefused, Format
from robot_rl.interchange.video import BadVideo, Codec, PictureSize
from robot_rl.interchange.writers import writer_of
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import state_vector
from robot_rl.server import audit
from tests.interchange.conftest import RecordedLab

FORMATS: tuple[Format, ...] = ("lerobot", "parquet")


def plan_of(ids: Sequence[UUID], format: Format = "lerobot", codec: Codec = "h264") -> ExportPlan:  # noqa: A002
    return ExportPlan(format=format, codec=codec, request="all", episodes=tuple(ids))


def export(folder: Path, plan: ExportPlan, source: EpisodeSource, workers: int = 1) -> None:
    job.run(folder, job.begin(folder, plan), writer_of(plan.format), source, workers=workers)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class CutOff:
    """A source that ends the export at one of its episodes, as Ctrl-C does."""

    source: EpisodeSource
    at: UUID

    def read(self, episode_id: UUID) -> ExportedEpisode:
        if episode_id == self.at:
            raise KeyboardInterrupt
        return self.source.read(episode_id)


@dataclass(frozen=True)
class Changed:
    """A source whose episodes are others than what is stored."""

    source: EpisodeSource
    step_s: float = 0.1
    camera: str | None = None

    def read(self, episode_id: UUID) -> ExportedEpisode:
        episode = self.source.read(episode_id)
        changes: dict[str, object] = {"step_s": self.step_s}
        if self.camera is not None:
            changes["cameras"] = (self.camera,)
        return replace(episode, started=episode.started.model_copy(update=changes))


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_was_cut_off_ends_as_one_that_was_not(
    format: Format,  # noqa: A002
    lab: RecordedLab,
    tmp_path: Path,
) -> None:
    plan = plan_of(lab.ids, format)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    export(whole, plan, lab.source, workers=2 if format == "lerobot" else 1)
    with pytest.raises(KeyboardInterrupt):
        export(cut, plan, CutOff(lab.source, lab.ids[3]))
    assert not (cut / "meta").exists()
    killed = cut / ("videos" if format == "lerobot" else "steps") / ".a file.0123.part"
    killed.parent.mkdir(exist_ok=True)
    killed.write_bytes(b"half of it")
    # Episodes recorded meanwhile do not come in: the list is that of the first call.
    export(cut, plan.model_copy(update={"episodes": lab.ids[:2]}), lab.source)
    assert contents(cut) == contents(whole)
    export(cut, plan, CutOff(lab.source, lab.ids[0]))  # nothing is left to read


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_said_and_the_export_goes_on(
    format: Format,  # noqa: A002
    lab: RecordedLab,
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(850_000))
    folder = small_disk / "out"
    with pytest.raises(PlainError, match=r"the disk is full after [1-5] of 6 episodes: free some"):
        export(folder, plan_of(lab.ids, format), lab.source)
    ballast.unlink()
    export(folder, plan_of(lab.ids, format), lab.source)
    assert json.loads((folder / job.PLAN).read_text())["finished"]


def test_a_folder_of_something_else_is_left_alone(lab: RecordedLab, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportRefused, match="that is not an export: name a new folder"):
        job.begin(tmp_path, plan_of(lab.ids))
    folder = tmp_path / "out"
    job.begin(folder, plan_of(lab.ids))
    with pytest.raises(ExportRefused, match="of other episodes or another format"):
        job.begin(folder, plan_of(lab.ids, "parquet"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step_s": 0.15}, "has a step every 0.15 s, and LeRobot's format knows whole steps"),
        ({"camera": "top"}, "has no picture of 'top': leave it out"),
    ],
)
def test_what_the_format_cannot_hold_is_said(
    changes: dict[str, object], said: str, lab: RecordedLab, tmp_path: Path
) -> None:
    source = Changed(lab.source, **changes)  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotExportable, match=said):
        export(tmp_path / "out", plan_of(lab.ids[:1]), source)


def test_episodes_that_differ_are_not_made_one_dataset(lab: RecordedLab, tmp_path: Path) -> None:
    folder, plan = tmp_path / "out", plan_of(lab.ids[:2])
    with pytest.raises(KeyboardInterrupt):
        export(folder, plan, CutOff(lab.source, lab.ids[1]))
    with pytest.raises(NotExportable, match="other cameras: front 64 × 64 instead of front 64"):
        export(folder, plan, Changed(lab.source, camera="front"))


def test_parquet_holds_every_record(lab: RecordedLab, tmp_path: Path) -> None:
    export(tmp_path / "out", plan_of(lab.ids, "parquet"), lab.source)
    listed = pq.read_table(tmp_path / "out" / "episodes.parquet").to_pylist()
    assert [row["episode_id"] for row in listed] == [str(each) for each in lab.ids]
    for row, episode_id in zip(listed, lab.ids, strict=True):
        episode = lab.source.read(episode_id)
        table = pq.read_table(tmp_path / "out" / "steps" / f"{episode_id}.parquet")
        assert row["steps"] == len(episode.steps) == table.num_rows - 1
        assert table["reward"].to_pylist() == [*episode.rewards, None]
        for name, found in (
            ("executed_action", [record.step.executed_action for record in episode.records]),
            ("frame_front", [record.images["front"] for record in episode.records]),
        ):
            assert table[name].to_pylist() == [
                list(each) if isinstance(each, tuple) else each for each in found
            ]
        assert row["outcome"] == episode.outcome
        assert len(row["state_names"]) == len(state_vector(episode.records[0].step.arms))


def psnr(one: video.Image, other: video.Image) -> float:
    """In dB."""
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize(("codec", "least_db"), [("h264", 31.0), ("av1", 30.0)])
def test_pictures_come_back_in_their_places(
    codec: Codec, least_db: float, lab: RecordedLab, tmp_path: Path
) -> None:
    """In pictures so small half the colours alone cost 33.5 dB."""
    steps = lab.source.read(lab.ids[0]).steps
    pictures = [video.decode_jpeg(record.images["wrist"]) for record in steps]
    path = tmp_path / "wrist.mp4"
    path.write_bytes(video.encode(pictures, PictureSize(height=64, width=64), 10, codec))
    for first in (0, 1, 7):
        found = list(video.decode(path, first / 10, len(steps) - first, 10))
        quality = [psnr(*pair) for pair in zip(found, pictures[first:], strict=True)]
        assert min(quality) > least_db
    with pytest.raises(BadVideo, match=f"it ends after {len(steps)} of the {len(steps) + 1}"):
        list(video.decode(path, 0.0, len(steps) + 1, 10))


def test_a_frame_that_is_lost_is_not_replaced_by_the_next(tmp_path: Path) -> None:
    """Every picture after it would belong to the step before its own."""
    pictures = [np.full((64, 64, 3), 30 * n, np.uint8) for n in range(7)]
    data = video.encode(pictures, PictureSize(height=64, width=64), 10, "h264")
    path = tmp_path / "cut.mp4"
    with av.open(io.BytesIO(data), "r") as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for number, packet in enumerate(source.demux(stream)):
            if packet.size and number != 3:  # no other frame is made from this one
                packet.stream = copied
                target.mux(packet)
    assert len(list(video.decode(path, 0.0, 3, 10))) == 3
    with pytest.raises(
        BadVideo, match=r"cut.mp4: it has no frame at 0\.3 s, and the next is at 0\.4"
    ):
        list(video.decode(path, 0.0, 6, 10))


def test_pictures_of_an_odd_size(tmp_path: Path, rng: np.random.Generator) -> None:
    picture = np.full((35, 47, 3), rng.integers(0, 255, 3), np.uint8)
    size = PictureSize(height=35, width=47)
    (tmp_path / "odd.mp4").write_bytes(video.encode([picture] * 3, size, 30, "h264"))
    found = list(video.decode(tmp_path / "odd.mp4", 0.0, 3, 30))
    assert psnr(found[2], picture) > 34
    with pytest.raises(BadVideo, match="47 × 35 cannot be written as AV1"):
        video.encode([picture], size, 30, "av1")


def test_a_step_without_a_picture_repeats_the_one_before(lab: RecordedLab, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Lost:
        def read(self, episode_id: UUID) -> ExportedEpisode:
            episode = lab.source.read(episode_id)
            first, second, *rest = episode.records
            lost = RecordedStep(step=second.step, images={"front": second.images["front"]})
            return replace(episode, records=[first, lost, *rest])

    export(tmp_path / "out", plan_of(lab.ids[:1]), Lost())
    table = pq.read_table(tmp_path / "out/data/chunk-000/file-000.parquet")
    assert table["picture_repeated"].to_pylist()[:3] == [False, True, False]


def test_the_command(lab: RecordedLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", lab.source.database_url)
    out = tmp_path / "out"

    def run(*more: str) -> str:
        asked = ["episodes", "export", "--data", str(lab.folder), "--out", str(out), *more]
        result = CliRunner().invoke(app, asked, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    one = ("--format", "parquet", "--id", str(lab.ids[1]))
    assert run(*one) == f"1 episodes are in {out}\n"
    assert run(*one) == f"1 episodes are in {out}\n"
    (entry,) = audit.newest(lab.database, 10, None)[:1]
    assert (entry.action, entry.target) == ("episodes.export", str(out))
    assert entry.detail["format"] == "parquet"
    with pytest.raises(PlainError, match="there is no ended episode that is as asked for"):
        run("--task", "no_such_task")
    with pytest.raises(PlainError, match="no ended episode 00000000-0000-0000-0000-000000000000"):
        run("--id", str(UUID(int=0)))


def test_a_single_picture_is_read(lab: RecordedLab) -> None:
    jpeg = lab.source.read(lab.ids[0]).steps[0].images["front"]
    assert psnr(video.decode_picture(jpeg), video.decode_jpeg(jpeg)) > 40
    with pytest.raises(BadVideo, match="it is not a readable picture"):
        video.decode_picture(b"no picture")


def test_an_av1_encoder_does_not_run_above_a_robots_control() -> None:
    """As root, SVT-AV1 leaves the thread that opens it under SCHED_FIFO at priority 99."""
    before = os.sched_getscheduler(0)
    seen: list[int] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for _ in range(3):
            yield np.zeros((64, 64, 3), np.uint8)
            seen.extend(os.sched_getscheduler(int(each)) for each in os.listdir("/proc/self/task"))

    video.encode(pictures(), PictureSize(height=64, width=64), 30, "av1")
    assert {*seen, os.sched_getscheduler(0)} == {before}
