"""LeRobot's own loader and trainer on what we write."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from robot_rl.interchange import video
from robot_rl.schema.step import state_vector
from tests.interchange.conftest import RecordedLab
from tests.interchange.test_export import export, plan_of, psnr

if TYPE_CHECKING:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

pytestmark = [
    pytest.mark.slow,  # loads LeRobot
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
