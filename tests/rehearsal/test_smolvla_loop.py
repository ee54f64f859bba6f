"""A VLA in the loop: a tiny SmolVLA drives, is corrected, learns and is swapped."""

import re
import tempfile
from pathlib import Path

import pytest

from robot_rl.config import Task, load_task
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from tests.rehearsal.short_task import MAX_STEPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.beside,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("default"),  # LeRobot and transformers warn about themselves
]


FINE_TUNED = """[learner]
algorithm = "vla_clone"
batch = 2
rank = 4
start_steps = 10
publish_every_steps = 20
"""


def short(task: Task) -> str:
    """Its file, with short episodes, and its starting policy still named from beside it."""
    return re.sub(r"(?m)^max_steps = .*$", f"max_steps = {MAX_STEPS}", task.path.read_text())


def test_a_smolvla_drives_is_corrected_learns_and_is_swapped() -> None:
    from robot_rl.policy.checkpoint import load_policy
    from robot_rl.policy.starting import write_untrained_on
    from tests.policy.tiny_smolvla import write_tiny_smolvla

    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as name:
        folder = Path(name)
        write_tiny_smolvla(folder / "tiny_smolvla", seed=0)
        task = load_task("lift_cube")
        write_untrained_on(folder / "lift_cube", folder / "tiny_smolvla", task, seed=0)
        assert load_policy(folder / "lift_cube").backbone.kind == "smolvla"
        (folder / "lift_cube.toml").write_text(short(task))
        report = rehearse(
            RehearsalSettings(
                cell="simulation",
                task=str(folder / "lift_cube.toml"),
                episodes=3,
                evaluations=0,
                demonstrations=1,
                seed=5,
            ),
            folder / "data",
            quiet=True,
        )
    assert report.interventions >= 2  # the demonstration and at least one correction
    assert len(report.versions_acted) >= 2
    assert report.steps_available == report.steps_trainable > 0
    assert report.problems() == []


def test_a_whole_smolvla_is_fine_tuned_while_it_drives() -> None:
    from robot_rl.policy.starting import write_tunable
    from tests.policy.tiny_smolvla import write_tiny_smolvla

    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as name:
        folder = Path(name)
        write_tiny_smolvla(folder / "tiny_smolvla", seed=0)
        task = load_task("lift_cube")
        write_tunable(folder / "lift_cube", folder / "tiny_smolvla", task)
        text, _, _ = short(task).partition("[learner]")
        (folder / "lift_cube.toml").write_text(text + FINE_TUNED)
        report = rehearse(
            RehearsalSettings(
                cell="simulation",
                task=str(folder / "lift_cube.toml"),
                episodes=2,
                evaluations=0,
                demonstrations=1,
                seed=5,
            ),
            folder / "data",
            quiet=True,
        )
    assert len(report.versions_acted) >= 2
    assert report.steps_available == report.steps_trainable > 0
    assert report.problems() == []
