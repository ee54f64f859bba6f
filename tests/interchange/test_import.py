"""Our own export comes back as it was; what does not fit is refused in a sentence."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robot_rl.cli import app
from robot_rl.errors import PlainError
from robot_rl.interchange import video
from robot_rl.interchange.lerobot_layout import INFO
from robot_rl.schema.episode import Purpose
from robot_rl.schema.step import state_vector
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.episode import detail, records
from robot_rl.server.episodes import EpisodeFilter, page
from robot_rl.server.identities import trained_on
from robot_rl.server.recorded import read_recorded, select_recorded
from tests.interchange.conftest import RecordedLab
from tests.interchange.test_export import export, plan_of, psnr
from tests.server.conftest import temporary_database

FLOAT32 = 1e-6  # relative: what a dataset keeps of a number


@pytest.fixture(scope="module")
def dataset(lab: RecordedLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "lift"
    export(folder, plan_of(lab.ids), lab.source)
    return folder


@pytest.fixture(scope="module")
def empty(postgres: EmbeddedPostgres) -> Iterator[Database]:
    with temporary_database(postgres) as database:
        yield database


@pytest.fixture
def run(empty: Database, lab: RecordedLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`robot-rl episodes import` into an empty database, with the folder of its pictures."""
    url = empty.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    def call(folder: Path, *more: str, task: str | None = None) -> str:
        task = task or str(lab.task.path)
        asked = ["episodes", "import", str(folder), "--task", task, "--data", str(lab.folder)]
        result = CliRunner().invoke(app, [*asked, *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_an_export_comes_back(run, empty: Database, lab: RecordedLab, dataset: Path) -> None:
    assert run(dataset) == "6 episodes were stored for lift_cube, 0 were there\n"
    assert run(dataset) == "0 episodes were stored for lift_cube, 6 were there\n"
    shown, exported = (
        page(
            each, EpisodeFilter(), sort="started", descending=False, limit=10, after=None, offset=0
        )
        for each in (empty, lab.database)
    )
    purposes = [row.purpose for row in shown.episodes]
    assert purposes == [row.purpose for row in exported.episodes]
    assert Purpose.EVALUATION in purposes
    found = select_recorded(empty, EpisodeFilter())
    assert [row.episode_id for row in shown.episodes] == list(found)
    assert trained_on(empty, lab.task) == {
        episode_id
        for episode_id, purpose in zip(found, purposes, strict=True)
        if purpose is not Purpose.EVALUATION
    }
    for episode_id, wanted_id in zip(found, lab.ids, strict=True):
        stored = read_recorded(empty, FolderBlobs(lab.folder / "blobs"), episode_id)
        wanted = lab.source.read(wanted_id)
        assert stored.outcome == wanted.outcome
        assert stored.rewards == pytest.approx(wanted.rewards)
        assert stored.started.instruction == wanted.started.instruction
        assert stored.started.provenance == wanted.started.provenance
        assert len(stored.records) == len(wanted.records)
        for one, other in zip(stored.steps, wanted.steps, strict=True):
            a, b = one.step, other.step
            assert state_vector(a.arms) == pytest.approx(state_vector(b.arms), rel=FLOAT32)
            for name in ("executed_action", "proposed_action", "human_action"):
                given = getattr(b, name)
                assert getattr(a, name) == (given and pytest.approx(given, rel=FLOAT32, abs=1e-7))
            assert (a.source, a.phase) == (b.source, b.phase)
            assert (a.intervention_id is None) == (b.intervention_id is None)
        for one, other in zip(stored.steps[::6], wanted.steps[::6], strict=True):
            pictures = (video.decode_jpeg(each.images["front"]) for each in (one, other))
            assert psnr(*pictures) > 30
        old, new = detail(lab.database, wanted_id), detail(empty, episode_id)
        assert [(i.first_index, i.correction_steps) for i in new.interventions] == [
            (i.first_index, i.correction_steps) for i in old.interventions
        ]
        assert new.episode.trainable_steps == len(wanted.steps)
        last = records(empty, FolderBlobs(lab.folder / "blobs"), episode_id)[-1].step
        assert last.executed_action is None
        assert last.stale_cameras == ("front", "wrist")


def _changed(dataset: Path, folder: Path, **values: object) -> Path:
    """The dataset with other words in its `info.json`."""
    shutil.copytree(dataset, folder)
    info = json.loads((folder / INFO).read_text())
    (folder / INFO).write_text(json.dumps(info | values))
    return folder


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fps": 30}, "has 30 frames a second and the task lift_cube 10 steps: give a task with"),
        ({"codebase_version": "v2.1"}, "is a LeRobotDataset v2.1 and only v3 can be read"),
        ({"total_episodes": 7}, "says 7 episodes and lists 6"),
        ({"features": {}}, "needs a camera 'front' and the dataset has none: give --map front="),
    ],
)
def test_another_dataset_is_refused(
    values: dict[str, object], said: str, run, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(PlainError, match=said):
        run(_changed(dataset, tmp_path / "changed", **values))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--map", "front=top"], "needs a camera 'front' and the dataset has observation.images"),
        (["--map", "dx=other"], "has no column of an action for dx; it has dx, dy, dz, rx, ry, rz"),
        (["--map", "gripper_m=nan"], "has no value of the state for gripper_m; it has tcp_"),
        (["--map", "elbow=0"], "names nothing that the task lift_cube has: its cameras are front"),
        (["--map", "front"], "--map front is not of the form OURS=THEIRS"),
        (["--cell", "simulation"], "has pictures of 64 × 64 and the camera 'front' of the cell is"),
    ],
)
def test_what_does_not_fit_is_said(given: list[str], said: str, run, dataset: Path) -> None:
    with pytest.raises(PlainError, match=said):
        run(dataset, *given)


def test_a_folder_of_something_else(run, tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(PlainError, match="does not exist: give the folder of a LeRobotDataset v3"):
        run(tmp_path)
    cut = tmp_path / "cut"
    shutil.copytree(dataset, cut)
    movie = cut / "videos/observation.images.front/chunk-000/file-002.mp4"
    movie.write_bytes(movie.read_bytes()[:3000])
    with pytest.raises(PlainError, match=r"file-002.mp4: it (is not a readable video|ends after)"):
        run(cut, "--robot", "somebody")
