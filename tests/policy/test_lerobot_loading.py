"""Checkpoints that LeRobot would take although they are not whole, and what goes wrong on the way:
a sentence each, before anything moves.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from robot_rl.cli import app
from robot_rl.commands.preflight import starting_policy
from robot_rl.config import load_cell, load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.policy import lerobot_loading
from robot_rl.policy.folder import MODEL
from robot_rl.policy.manifest import PROPRIOCEPTION, BadCheckpoint
from robot_rl.policy.policy_check import PolicyReport, keeps_up
from robot_rl.policy.starting import load_starting_policy
from tests.policy.tiny_lerobot import ACTION_SIZE, stats_of, write_tiny

pytestmark = [
    pytest.mark.filterwarnings("default"),  # LeRobot warns about itself
]
TASK, CELL = load_task("lift_cube"), load_cell("simulation")


def by(folder: Path | str, **keys: Any) -> Task:
    start = StartingPolicy(folder=str(folder), kind="lerobot", **keys)
    return TASK.model_copy(update={"policy": start})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies") / "act"
    write_tiny(folder)
    return folder


@pytest.fixture
def act(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "act"))


def _lacks_weights(folder: Path) -> None:
    held = load_file(folder / MODEL)
    save_file({k: v for k, v in held.items() if "decoder" not in k}, folder / MODEL)


def _of_another_kind(folder: Path) -> None:
    save_file({"net.0.weight": torch.zeros(3, 3)}, folder / MODEL)


def _holds_nan(folder: Path) -> None:
    held = load_file(folder / MODEL)
    held["model.action_head.weight"][0] = torch.nan
    save_file(held, folder / MODEL)


def _lacks_weights_file(folder: Path) -> None:
    (folder / MODEL).unlink()


def _lacks_processors(folder: Path) -> None:
    (folder / "policy_preprocessor.json").unlink()


def _of_an_unknown_kind(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "type": "world_model"}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_lacks_weights, r"its model.safetensors belongs to another model: it lacks model\.dec"),
        (_of_another_kind, "its model.safetensors belongs to another model"),
        (_holds_nan, "its weight model.action_head.weight holds values that are not finite"),
        (_lacks_weights_file, "LeRobot cannot load this policy"),
        (_lacks_processors, "LeRobot cannot load this policy"),
        (_of_an_unknown_kind, "world_model"),
    ],
)
def test_a_damaged_or_foreign_checkpoint(
    act: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(act)
    with pytest.raises(BadCheckpoint, match=said):
        load_starting_policy(by(act), CELL)


def test_missing_statistics_are_named_and_can_be_given(tmp_path: Path) -> None:
    stats = stats_of(len(PROPRIOCEPTION), ACTION_SIZE)
    del stats["observation.state"], stats["action"]["std"]
    write_tiny(tmp_path / "act", stats=stats)
    with pytest.raises(BadCheckpoint, match=r"normalises observation.state by MEAN_STD.*lack mean"):
        load_starting_policy(by(tmp_path / "act"), CELL)
    given = {
        name: {key: values.tolist() for key, values in each.items()}
        for name, each in stats_of(len(PROPRIOCEPTION), ACTION_SIZE).items()
    }
    path = tmp_path / "stats.json"
    path.write_text(json.dumps(given))
    load_starting_policy(by(tmp_path / "act", statistics=str(path)), CELL)
    path.write_text("[1]")
    with pytest.raises(BadCheckpoint, match=r"stats\.json: the statistics .* cannot be read"):
        load_starting_policy(by(tmp_path / "act", statistics=str(path)), CELL)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory of cpu is"),
        (MemoryError(), "the memory of cpu is too small for this policy"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory of cpu is too small"),
        (ImportError("'diffusers' is required"), "needs a library that is not installed"),
        (ConnectionError("refused"), "the hub .* cannot be reached: fetch it once"),
    ],
)
def test_what_goes_wrong_while_it_loads(
    whole: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(lerobot_loading, "get_policy_class", fail)
    with pytest.raises(BadCheckpoint, match=said):
        load_starting_policy(by(whole), CELL)


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadCheckpoint, match=r"nobody/nothing: it is not cached here .*HF_HUB_OFF"):
        load_starting_policy(by("nobody/nothing"), CELL)


def test_a_device_that_is_not_there(whole: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"policy\.device is 'cuda:99', and this machine has"):
        load_starting_policy(by(whole, device="cuda:99"), CELL)


def test_actions_that_are_no_numbers_are_found_before_it_acts(tmp_path: Path) -> None:
    stats = stats_of(len(PROPRIOCEPTION), ACTION_SIZE)
    stats["action"]["mean"][0] = torch.nan
    write_tiny(tmp_path / "act", stats=stats)
    with pytest.raises(BadCheckpoint, match="its actions are not finite"):
        load_starting_policy(by(tmp_path / "act"), CELL)


def test_the_command_line_refuses_it_before_anything_starts(act: Path) -> None:
    wrong = by(act, cameras={"observation.images.front": "top"}, fps=50)
    with pytest.raises(BadCheckpoint, match=r"wants the camera 'top'.*1 more"):
        starting_policy(wrong, CELL)
    starting_policy(by(act), CELL)


def test_policies_check_names_everything_and_ends_with_1(whole: Path, tmp_path: Path) -> None:
    def check(keys: str) -> tuple[int, PolicyReport]:
        task = tmp_path / "task.toml"
        text = TASK.path.read_text().replace('folder = "lift_cube"', keys)
        task.write_text(text)
        arguments = ["policies", "check", "--task", str(task), "--cell", "simulation", "--json"]
        found = CliRunner().invoke(app, [*arguments, "--calls", "2"])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, PolicyReport.model_validate_json(found.stdout)

    start = f'folder = "{whole}"\nkind = "lerobot"\n'
    code, report = check(start)
    assert (code, report.problems) == (0, ())
    assert (report.kind, report.actions, report.device, report.dtype) == (
        "act",
        4,
        "cpu",
        "float32",
    )
    assert report.parameters is not None
    assert report.parameters > 11_000_000
    assert report.p50_s is not None
    assert report.keeps_up is not None
    images = [each for each in report.mapped if each.kind == "image"]
    assert [(each.ours, each.note) for each in images] == [
        ("front", "256×256 → 64×64"),
        ("wrist", "256×256 → 64×64"),
    ]
    actions = [each.ours for each in report.mapped if each.kind == "action"]
    assert actions == ["dx", "dy", "dz", "gripper"]

    code, report = check(start + 'fps = 30\nstate = ["gripper_m"]\ncameras = { front = "top" }\n')
    assert code == 1
    assert len(report.problems) == 3
    code, report = check('folder = "nowhere/at/all"\nkind = "lerobot"')
    assert (code, len(report.problems)) == (1, 1)


@pytest.mark.parametrize(
    ("took_s", "actions", "said"),
    [(0.04, 1, "every step"), (0.14, 1, "within its chunk"), (0.16, 1, "no"), (0.4, 4, "within"),
     (0.46, 4, "no"), (1.2, 50, "no")],
)  # fmt: skip
def test_who_keeps_up(took_s: float, actions: int, said: str) -> None:
    assert keeps_up(took_s, actions, TASK).startswith(said)
