"""What a LeRobot policy says about itself, held against a task and a cell: a sentence for each
mismatch, before anything is loaded.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.config.policy_mapping import PolicyMapping
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.policy.lerobot_config import MAPPING, PolicyFacts, read_facts, read_folder
from robot_rl.policy.lerobot_fit import check, mismatches
from robot_rl.policy.manifest import PROPRIOCEPTION, BadCheckpoint

TASK, CELL = load_task("lift_cube"), load_cell("simulation")
COLUMNS = ["dx", "dy", "dz", "gripper"]
FRONT, WRIST = "observation.images.front", "observation.images.wrist"


def config(
    *,
    kind: str = "act",
    images: dict[str, tuple[int, ...]] | None = None,
    state: int | None = len(PROPRIOCEPTION),
    action: int = 4,
    more: dict[str, Any] | None = None,
    **fields: Any,
) -> str:
    """A config.json."""
    seen = {FRONT: (3, 128, 128), WRIST: (3, 128, 128)} if images is None else images
    inputs: dict[str, Any] = {n: {"type": "VISUAL", "shape": s} for n, s in seen.items()}
    if state is not None:
        inputs["observation.state"] = {"type": "STATE", "shape": [state]}
    outputs = {"action": {"type": "ACTION", "shape": [action]}}
    inputs |= more or {}
    return json.dumps(
        {"type": kind, "input_features": inputs, "output_features": outputs, **fields}
    )


def facts(text: str, **mapping: Any) -> PolicyFacts:
    return read_facts("POLICY", text, PolicyMapping.model_validate(mapping))


def test_what_fits_has_no_mismatch() -> None:
    assert mismatches(facts(config()), TASK, CELL) == []
    mapped = facts(
        config(
            kind="smolvla",
            images={"observation.image": (3, 256, 256), "observation.images.camera3": (3, 9, 16)},
            state=2,
            action=6,
            resize_imgs_with_padding=[512, 512],
        ),
        cameras={"observation.image": "wrist", "observation.images.camera3": ""},
        state=["gripper_m", "q1_rad"],
        state_scale={"q1_rad": 57.29578},
        action={"columns": ["dz", "", "dx", "gripper", "", "dy"], "unit": "m_rad", "frame": "tcp"},
        fps=10,
    )
    assert mismatches(mapped, TASK, CELL) == []
    assert mapped.columns(TASK.action) == (2, None, 0, 6, None, 1)
    assert mapped.state == ("gripper_m", "q1_rad")


CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "camera": (
        config(images={"observation.images.top": (3, 128, 128)}),
        {},
        "its image 'observation.images.top' wants the camera 'top', and the task has front, wrist",
    ),
    "image that is none of its": (
        config(),
        {"cameras": {"observation.images.left": "front"}},
        "policy.cameras names the image 'observation.images.left', and the policy takes",
    ),
    "dark image": (
        config(),
        {"cameras": {WRIST: ""}},
        "is not fed, and policies of its kind (act) need all",
    ),
    "all dark": (
        config(kind="pi0", images={FRONT: (3, 224, 224)}, image_resolution=[224, 224]),
        {"cameras": {FRONT: ""}},
        "none of its images is fed",
    ),
    "shape": (
        config(images={FRONT: (3, 480, 640)}),
        {},
        "is 640×480 and the camera front of the cell gives",
    ),
    "channels": (config(images={FRONT: (1, 128, 128)}), {}, "has 1 channels"),
    "size of the state": (config(state=14), {}, "takes a state of 14 values and nothing says"),
    "length of the state": (
        config(state=14),
        {"state": ["gripper_m"]},
        "takes a state of 14 values and policy.state lists 1",
    ),
    "unmeasured state": (
        config(state=1),
        {"state": ["altitude_m"]},
        "it takes the state 'altitude_m', and the cell simulation measures",
    ),
    "no state": (config(state=None), {"state": ["gripper_m"]}, "it takes no state"),
    "other inputs": (
        config(more={"observation.environment_state": {"type": "ENV", "shape": [3]}}),
        {},
        "it takes observation.environment_state, which no robot measures",
    ),
    "size of the action": (config(action=32), {}, "has an action of 32 values"),
    "length of the columns": (
        config(action=6),
        {"action": {"columns": COLUMNS}},
        "has an action of 6 values and policy.action.columns names 4",
    ),
    "unknown column": (
        config(action=1),
        {"action": {"columns": ["yaw"]}},
        "policy.action.columns names 'yaw', and the task's action has: dx, dy",
    ),
    "unused column": (
        config(action=1),
        {"action": {"columns": ["rz"]}},
        "policy.action.columns names 'rz', which the task's [action] does not use",
    ),
    "fps": (
        config(),
        {"fps": 30},
        "it was trained at 30 fps, and a step of the task takes 0.1 s (10 fps)",
    ),
    "no features": (
        json.dumps({"type": "pi0", "input_features": None, "output_features": {}}),
        {},
        "its config.json names no inputs or no outputs",
    ),
    "no chunks": (config(kind="gaussian_actor"), {}, "answers no chunks of actions"),
    "its past": (config(kind="diffusion", n_obs_steps=2), {}, "looks at 2 observations at once"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_mismatch_is_a_sentence(case: str) -> None:
    text, mapping, said = CASES[case]
    found = mismatches(facts(text, **mapping), TASK, CELL)
    assert any(said in sentence for sentence in found), found


def test_all_of_them_are_named_and_the_first_is_raised() -> None:
    wrong = facts(config(state=14, action=32), fps=30, cameras={FRONT: "top"})
    assert len(mismatches(wrong, TASK, CELL)) == 4
    with pytest.raises(BadCheckpoint, match=r"^POLICY: .*'top'.*\(3 more: `robot-rl policies"):
        check(wrong, TASK, CELL)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": 3}', '{"input_shapes": {}}'])
def test_a_config_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadCheckpoint, match="is not one of a LeRobot policy"):
        read_folder(tmp_path, PolicyMapping())


def test_the_task_has_the_say_over_the_file_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config())
    beside = {"cameras": {FRONT: "wrist"}, "fps": 30, "statistics": "stats.json"}
    (tmp_path / MAPPING).write_text(json.dumps(beside))
    start = StartingPolicy(folder=str(tmp_path), kind="lerobot", fps=10)
    found = read_folder(tmp_path, start).mapping
    assert (found.fps, found.cameras) == (10, {FRONT: "wrist"})
    assert found.statistics == str(tmp_path / "stats.json")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"cameras": {FRONT: "front"}}, "policy.cameras belongs to a policy of LeRobot"),
        ({"kind": "lerobot", "state_scale": {"q1_rad": 2}}, "state_scale names 'q1_rad'"),
        ({"kind": "lerobot", "action": {"columns": ["dx", "dx"]}}, "names 'dx' twice"),
        ({"kind": "lerobot", "device": "tpu"}, "device"),
        ({"kind": "lerobot", "dtype": "int4"}, "dtype"),
        ({"kind": "lerobot", "action": {"unit": "inch"}}, "unit"),
    ],
)
def test_the_task_file_is_refused_in_words(policy: dict[str, Any], said: str) -> None:
    content = TASK.model_dump(exclude={"policy"}) | {"policy": {"folder": "x", **policy}}
    with pytest.raises(ValueError, match=said):
        Task.model_validate(content)
