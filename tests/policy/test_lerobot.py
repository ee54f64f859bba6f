"""A LeRobot policy drives through the one interface, and carries a head as a frozen backbone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robot_rl.config.action import ActionSpace
from robot_rl.config.document import load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.folder import MODEL
from robot_rl.policy.interface import BadObservation, Chunk, Observation, RunningChunk
from robot_rl.policy.lerobot import LoadedPolicy, load_lerobot_policy
from robot_rl.policy.lerobot_action import to_actions
from robot_rl.policy.lerobot_config import MAPPING, columns_by_size
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.starting import load_starting_policy, write_untrained_on
from robot_rl.schema.step import state_names
from tests.policy.tiny_smolvla import write_tiny_smolvla

pytestmark = [
    pytest.mark.filterwarnings("default"),  # LeRobot and transformers warn about themselves
]


TASK = load_task("lift_cube")
ACTION = TASK.action


def by(folder: Path | str, task: Task = TASK, **keys: Any) -> Task:
    """The task, run by the policy in a folder."""
    start = StartingPolicy(folder=str(folder), kind="lerobot", **keys)
    return task.model_copy(update={"policy": start})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies") / "tiny_smolvla"
    write_tiny_smolvla(folder, seed=0)
    return folder


@pytest.fixture
def observation(rng: np.random.Generator) -> Observation:
    names = state_names({"arm": 7})
    return Observation(
        images={
            name: rng.integers(0, 256, (128, 128, 3), dtype=np.uint8) for name in ("front", "wrist")
        },
        state=rng.normal(size=len(names)),
        state_names=names,
        instruction="lift the red cube",
        t_ns=0,
    )


def test_it_acts_in_chunks_with_the_callers_dice(tiny: Path, observation: Observation) -> None:
    policy = load_starting_policy(by(tiny))
    policy.reset()

    def act(seed: int, deterministic: bool = False) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return policy.act(observation, rng, deterministic=deterministic).actions

    assert act(1).shape == (4, 7)
    assert np.all(np.abs(act(1)) <= 1)
    assert set(act(1)[:, 6].tolist()) <= {-1.0, 0.0, 1.0}
    assert np.array_equal(act(1), act(1))
    assert not np.array_equal(act(1), act(2))
    assert np.array_equal(act(1, True), act(2, True))


def test_a_flow_policy_goes_on_from_what_runs(tiny: Path, observation: Observation) -> None:
    policy = load_lerobot_policy(by(tiny))
    before = policy.act(observation, np.random.default_rng(1))
    assert isinstance(before.memory, torch.Tensor)
    running = RunningChunk(shift=1, frozen=3, actions=before.actions[1:], memory=before.memory)
    assert policy.can_go_on(running)
    assert not policy.can_go_on(replace(running, memory=None)), "another version decided it"
    free = policy.act(observation, np.random.default_rng(2))
    guided = policy.go_on(observation, np.random.default_rng(2), running)
    assert (free.follows, guided.follows) == (None, 3)

    def off(chunk: Chunk) -> float:
        assert isinstance(before.memory, torch.Tensor)
        assert isinstance(chunk.memory, torch.Tensor)
        return float((chunk.memory[:, :3] - before.memory[:, 1:4]).abs().max())

    assert off(guided) < 0.5 * off(free)


@pytest.mark.parametrize("kept", [0.5, 0.0])
def test_weights_that_are_cut_off_are_refused_in_words(
    tiny: Path, tmp_path: Path, kept: float
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    weights = copy / MODEL
    data = weights.read_bytes()
    weights.write_bytes(data[: round(kept * len(data))])
    with pytest.raises(BadCheckpoint, match=r"copy: LeRobot cannot load this policy \("):
        LoadedPolicy(copy)


def test_instruction_image_and_state_all_matter(
    tiny: Path, tmp_path: Path, observation: Observation
) -> None:
    from dataclasses import replace

    write_untrained_on(tmp_path, tiny, load_task("lift_cube"), seed=0)
    backbone = load_policy(tmp_path).backbone
    before = backbone.features(observation)
    assert before.shape == (backbone.size,)
    assert before.dtype == np.float32
    assert np.array_equal(before, backbone.features(observation))
    dark = {name: image // 2 for name, image in observation.images.items()}
    for changed in (
        replace(observation, instruction="insert the peg into the hole"),
        replace(observation, images=dark),
        replace(observation, state=observation.state + 0.5),
    ):
        assert not np.allclose(before, backbone.features(changed), atol=1e-4)


def test_instructions_and_images_of_any_size_stand_in_one_batch(
    tiny: Path, tmp_path: Path, observation: Observation
) -> None:
    from dataclasses import replace

    write_untrained_on(tmp_path, tiny, load_task("lift_cube"), seed=0)
    backbone = load_policy(tmp_path).backbone
    small = {name: image[::2, ::2] for name, image in observation.images.items()}
    several = [
        observation,
        replace(observation, instruction="insert the red peg into the hole"),
        replace(observation, images=small),
        replace(observation, state=observation.state + 0.5),
    ]
    together = backbone.features_of(several)
    alone = np.stack([backbone.features(each) for each in several])
    assert np.allclose(together, alone, atol=1e-4)
    assert not np.allclose(together[0], together[1], atol=1e-4)


def test_a_head_on_a_vla_acts_like_any_other(
    tiny: Path, tmp_path: Path, observation: Observation
) -> None:
    write_untrained_on(tmp_path, tiny, load_task("lift_cube"), seed=0)
    policy = load_policy(tmp_path)
    assert policy.backbone.kind == "smolvla"
    chunk = policy.act(observation, np.random.default_rng(0))
    assert chunk.actions.shape == (1, 7)


def test_what_it_needs_is_named(tiny: Path, observation: Observation) -> None:
    from dataclasses import replace

    policy = load_lerobot_policy(by(tiny))
    front = {"front": observation.images["front"]}
    with pytest.raises(BadObservation, match="needs the camera wrist"):
        policy.act(replace(observation, images=front), np.random.default_rng(0))


def test_a_mapping_names_other_cameras(tiny: Path, observation: Observation) -> None:
    path = tiny / MAPPING
    path.write_text(json.dumps({"cameras": {"observation.images.front": "overhead"}}))
    moved = TASK.model_copy(update={"cameras": ("overhead", "wrist")})
    try:
        policy = load_lerobot_policy(by(tiny, moved))
        with pytest.raises(BadObservation, match="needs the camera overhead"):
            policy.act(observation, np.random.default_rng(0))
        path.write_text('{"camera": {}}')
        with pytest.raises(BadCheckpoint, match=r"robot_rl\.json: camera"):
            load_lerobot_policy(by(tiny))
    finally:
        path.unlink()


def test_a_folder_without_a_policy_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadCheckpoint, match="there is no LeRobot policy in this folder"):
        load_lerobot_policy(by(tmp_path / "empty"))
    with pytest.raises(BadCheckpoint, match="there is no such folder"):
        load_lerobot_policy(by("./nowhere"))


def test_outputs_fill_our_entries() -> None:
    raw = np.array([[2.0, -0.5, 0.1, 0.7], [0.0, 0.0, 0.0, -0.2]])
    assert to_actions(raw, columns_by_size(ACTION)[4], ACTION).tolist() == [
        [1.0, -0.5, 0.1, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]


def test_the_task_says_which_columns_a_policy_can_fill() -> None:
    assert columns_by_size(ACTION) == {
        3: (0, 1, 2),
        4: (0, 1, 2, 6),
        6: (0, 1, 2, 3, 4, 5),
        7: (0, 1, 2, 3, 4, 5, 6),
    }
    arms = ActionSpace(arms=("left", "right"), translation_m=(0.02, 0.02, 0.02))
    assert columns_by_size(arms)[8] == (0, 1, 2, 6, 7, 8, 9, 13)
    acted = to_actions(np.full((1, 8), 0.6), columns_by_size(arms)[8], arms)[0]
    assert acted.tolist() == [0.6, 0.6, 0.6, 0, 0, 0, 1.0] * 2
    joints = ActionSpace(space="joint_delta", joint_rad=(0.1, 0.1), gripper=False)
    assert columns_by_size(joints) == {2: (0, 1)}
