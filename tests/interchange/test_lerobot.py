"""LeRobot's own loader and trainer on what we write, and what LeRobot writes in our database."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from robot_rl.interchange import video
from robot_rl.interchange.lerobot_import import Import
from robot_rl.interchange.lerobot_reader import BadDataset, DatasetFolder
from robot_rl.interchange.mapping import assign
from robot_rl.schema.step import state_vector
from robot_rl.schema.transition import is_example
from robot_rl.server.identities import admit
from robot_rl.server.imported import import_all
from robot_rl.server.settings import ServerSettings
from tests.interchange.conftest import RecordedLab
from tests.interchange.test_export import export, plan_of, psnr
from tests.server.conftest import serving

if TYPE_CHECKING:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

pytestmark = [
    pytest.mark.slow,  # loads LeRobot
    pytest.mark.beside,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # LeRobot's own
]


@pytest.fixture(scope="module")
def folder(lab: RecordedLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dataset") / "lift"
    export(made, plan_of(lab.ids), lab.source)
    return made


@pytest.fixture(scope="module")
def dataset(folder: Path) -> "LeRobotDataset":
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    return LeRobotDataset("robot-rl/lift", root=folder, video_backend="pyav")


def test_lerobot_reads_what_was_recorded(dataset: "LeRobotDataset", lab: RecordedLab) -> None:
    assert (dataset.num_episodes, dataset.fps) == (len(lab.ids), 10)
    at = 0
    for number, episode_id in enumerate(lab.ids):
        episode = lab.source.read(episode_id)
        for index, record in enumerate(episode.steps):
            frame: Any = dataset[at]
            at += 1
            step = record.step
            assert (frame["episode_index"], frame["frame_index"]) == (number, index)
            _same(frame["observation.state"], state_vector(step.arms))
            _same(frame["action"], step.executed_action)
            for name in ("proposed_action", "human_action"):
                given = getattr(step, name)
                assert frame[f"has_{name}"].item() == (given is not None)
                _same(frame[name], given or (0.0,) * 7)
            _same(frame["next.reward"], episode.rewards[index])
            assert frame["next.done"].item() == (index == len(episode.steps) - 1)
            assert frame["next.success"].item() == episode.succeeds(index)
            assert frame["is_intervention"].item() == (step.intervention_id is not None)
            assert (frame["source"], frame["phase"]) == (step.source, step.phase or "")
            version = -1 if step.policy_version is None else step.policy_version
            assert frame["policy_version"].item() == version
            assert frame["task"] == episode.started.instruction
            if index % 5 == 0:
                for camera in ("front", "wrist"):
                    found = frame[f"observation.images.{camera}"].numpy().transpose(1, 2, 0) * 255
                    wanted = video.decode_jpeg(record.images[camera])
                    assert psnr(np.round(found).astype(np.uint8), wanted) > 31
    assert at == dataset.num_frames


def test_the_statistics_are_those_of_the_data(dataset: "LeRobotDataset", lab: RecordedLab) -> None:
    steps = [r.step for each in lab.ids for r in lab.source.read(each).steps]
    found = dataset.meta.stats
    assert found is not None
    states = np.array([state_vector(step.arms) for step in steps])
    for name, wanted in (
        ("min", states.min(0)),
        ("max", states.max(0)),
        ("mean", states.mean(0)),
        ("std", states.std(0)),
    ):
        np.testing.assert_allclose(found["observation.state"][name], wanted, rtol=1e-4, atol=1e-5)
    assert found["observation.images.front"]["mean"].shape == (3, 1, 1)
    assert found["index"]["max"] == len(steps) - 1


def test_lerobot_trains_on_it(folder: Path, tmp_path: Path) -> None:
    """Its own trainer, a tiny ACT of random weights."""
    from lerobot.configs.default import DatasetConfig
    from lerobot.configs.train import TrainPipelineConfig
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.scripts.lerobot_train import train

    policy = ACTConfig(
        device="cpu",
        push_to_hub=False,
        pretrained_backbone_weights=None,
        chunk_size=4,
        n_action_steps=4,
        dim_model=16,
        n_heads=2,
        dim_feedforward=16,
        n_encoder_layers=1,
        n_vae_encoder_layers=1,
        latent_dim=4,
    )
    config = TrainPipelineConfig(
        dataset=DatasetConfig(repo_id="robot-rl/lift", root=str(folder), video_backend="pyav"),
        policy=policy,
        output_dir=tmp_path / "trained",
        steps=3,
        batch_size=2,
        num_workers=0,
        save_freq=3,
        log_freq=1,
    )
    train(config)
    weights = tmp_path / "trained/checkpoints/last/pretrained_model/model.safetensors"
    assert weights.stat().st_size > 0


def _same(found: Any, wanted: Any) -> None:
    np.testing.assert_array_equal(found.numpy(), np.asarray(wanted, np.float32))


STATE = ("x", "y", "z", "elbow.pos")
ACTIONS = ("vx", "vy", "vz", "grip")
MAPPED = (
    ("front", "top"),
    ("wrist", "observation.images.hand"),
    ("tcp_position_x_m", "x"),
    ("tcp_position_y_m", "y"),
    ("tcp_position_z_m", "z"),
    ("q1_rad", "elbow.pos"),
    ("tcp_quaternion_w", "1"),
    ("tcp_*", "0"),
    ("force_*", "0"),
    ("torque_*", "0"),
    ("gripper_m", "0"),
    ("dq1_rad_s", "0"),
    ("dx", "vx"),
    ("dy", "vy"),
    ("dz", "action.2"),
    ("r?", "0"),
    ("gripper", "grip"),
)


def _written_by_lerobot(folder: Path, rng: np.random.Generator, largest: float) -> list[Any]:
    """Two episodes of another arm, two cameras; the frames as LeRobot was given them."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    pictures = {"dtype": "video", "shape": (64, 96, 3), "names": ["height", "width", "channels"]}
    made = LeRobotDataset.create(
        "somebody/reach",
        fps=10,
        root=folder,
        robot_type="so101",
        features={
            "observation.images.top": pictures,
            "observation.images.hand": pictures,
            "observation.state": {"dtype": "float32", "shape": (4,), "names": list(STATE)},
            "action": {"dtype": "float32", "shape": (4,), "names": list(ACTIONS)},
        },
    )
    frames: list[Any] = []
    for length in (7, 5):
        for index in range(length):
            shade = np.full((64, 96, 3), 30 * index + 20, np.uint8)
            frames.append(
                {
                    "observation.images.top": shade,
                    "observation.images.hand": 255 - shade,
                    "observation.state": rng.normal(size=4).astype(np.float32),
                    "action": rng.uniform(-largest, largest, 4).astype(np.float32),
                    "task": "reach for the cup",
                }
            )
            made.add_frame(dict(frames[-1]))
        made.save_episode(parallel_encoding=False)
    made.finalize()
    return frames


def test_a_dataset_that_lerobot_wrote_is_imported(
    lab: RecordedLab, tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = tmp_path / "reach"
    given = _written_by_lerobot(folder, rng, 1.0)
    found = DatasetFolder(folder)
    job = Import(
        dataset=found,
        task=lab.task,
        assignment=assign(lab.task, found.offered, dict(MAPPED)),
        robot="imported",
    )
    job.check()
    assert list(import_all(lab.database, lab.blobs, job)) == [True, True]
    assert list(import_all(lab.database, lab.blobs, job)) == [False, False]
    wanted = iter(given)
    for number, length in enumerate((7, 5)):
        episode = lab.source.read(job.id_of(number))
        assert (len(episode.steps), len(episode.records)) == (length, length + 1)
        assert (episode.outcome, episode.started.instruction) == ("success", "reach for the cup")
        for record, frame in zip(episode.steps, wanted, strict=False):
            arm = record.step.arms["arm"]
            seen = (*arm.tcp_position_m, *arm.q_rad)
            assert seen == pytest.approx(tuple(frame["observation.state"]))
            vx, vy, vz, grip = frame["action"]
            assert record.step.human_action == pytest.approx((vx, vy, vz, 0, 0, 0, grip))
            assert is_example(record.step, demonstration=True)
            top = video.decode_jpeg(record.images["front"])
            assert psnr(top, frame["observation.images.top"]) > 31


def test_a_learner_trains_on_it_once_an_engineer_admits_it(
    lab: RecordedLab, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Another arm's data does not mix by itself."""
    from robot_rl.learner.feed import ServerClient
    from robot_rl.learner.recorded import fetch_demonstrations

    _written_by_lerobot(tmp_path / "admitted", rng, 1.0)
    found = DatasetFolder(tmp_path / "admitted")
    assignment = assign(lab.task, found.offered, dict(MAPPED))
    job = Import(dataset=found, task=lab.task, assignment=assignment, robot="another")
    assert list(import_all(lab.database, lab.blobs, job)) == [True, True]
    with serving(ServerSettings(data=lab.folder, port=0), lab.database) as running:
        token, stop = running.token("learner"), threading.Event()
        learner = ServerClient(running.url, token, stop, say=lambda _: None)
        before = {each[0].step.episode_id for each in fetch_demonstrations(learner, lab.task)}
        imported = {job.id_of(0), job.id_of(1)}
        assert not before & imported
        provenance = lab.source.read(job.id_of(0)).started.provenance
        admit(lab.database, lab.task, provenance.data_sha256, "ada")
        after = {each[0].step.episode_id for each in fetch_demonstrations(learner, lab.task)}
        learner.close()
    assert imported <= after


def test_actions_in_other_units_are_refused(
    lab: RecordedLab, tmp_path: Path, rng: np.random.Generator
) -> None:
    _written_by_lerobot(tmp_path / "far", rng, 40.0)
    found = DatasetFolder(tmp_path / "far")
    assignment = assign(lab.task, found.offered, dict(MAPPED))
    job = Import(dataset=found, task=lab.task, assignment=assignment, robot="imported")
    with pytest.raises(BadDataset, match="and those of a task are changes in −1 … 1"):
        job.check()
