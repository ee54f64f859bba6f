"""What gives recorded data its meaning, and what may change freely."""

from pathlib import Path

import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.config.document import CHECKOUT, file_sha256
from robot_rl.config.identity import (
    FIRST_CELLS,
    FIRST_TASKS,
    IdentityRule,
    action_names,
    cell_facts,
    data_identity,
    task_facts,
)
from robot_rl.schema.episode import Provenance
from robot_rl.schema.identity import DataIdentity

TASK, CELL = CHECKOUT / "tasks/lift_cube.toml", CHECKOUT / "cells/simulation.toml"
FIRST_TASK, FIRST_CELL = next(iter(FIRST_TASKS)), next(iter(FIRST_CELLS))


def edited(folder: Path, source: Path, *edits: tuple[str, str]) -> str:
    text = source.read_text()
    for old, new in edits:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    path = folder / source.name
    path.write_text(text)
    return str(path)


FREE = (
    ("# Grasp the cube", "# A word more: grasp the cube"),
    ("discount = 0.97", "discount = 0.95"),
    ("step_s = 0.1", "step_s = 0.10"),
    (
        "[simulation]",
        "[reward]\nsuccess = 10.0\nstep = -0.05\ngripper_change = 0.0\n\n[simulation]",
    ),
    ("max_steps = 100", "max_steps = 80"),
)


def recorded(task: str = str(TASK), cell: str = str(CELL)) -> Provenance:
    """By a robot of today with these files."""
    return Provenance(
        cell_sha256=file_sha256(Path(cell)),
        task_sha256=file_sha256(Path(task)),
        calibration_sha256="whatever",
        code_version="today",
        identity=data_identity(load_cell(cell), load_task(task)),
    )


def recorded_before(task: str = FIRST_TASK, cell: str = FIRST_CELL) -> Provenance:
    """By the first release, which kept hashes of files."""
    return Provenance(
        cell_sha256=cell, task_sha256=task, calibration_sha256="of then", code_version="first"
    )


def test_comments_rewards_and_learning_are_no_part_of_it(tmp_path: Path) -> None:
    other = load_task(edited(tmp_path, TASK, *FREE))
    assert task_facts(other) == task_facts(load_task(str(TASK)))
    rule = IdentityRule(other)
    assert [rule.difference(found) for found in (recorded(), recorded_before())] == ["", ""]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("step_s = 0.1", "step_s = 0.2"), "step_s 0.1 → 0.2"),
        (("action_delay_s = 0.05", "action_delay_s = 0.03"), "action_delay_s 0.05 → 0.03"),
        (("[0.025, 0.025, 0.025]", "[0.025, 0.025, 0.01]"), "action.scale 0.025 0.025 0.025 0 0 0"),
        (('["front", "wrist"]', '["wrist"]'), "cameras front wrist → wrist"),
    ],
)
def test_what_gives_an_action_or_an_image_its_meaning_is(
    tmp_path: Path, edit: tuple[str, str], words: str
) -> None:
    rule = IdentityRule(load_task(edited(tmp_path, TASK, edit)))
    for found in (recorded(), recorded_before()):
        assert words in rule.difference(found)


def test_images_of_another_size_differ_and_another_limit_does_not(tmp_path: Path) -> None:
    rule = IdentityRule(load_task(str(TASK)))
    assert rule.difference(recorded_before()) == ""
    slower = edited(tmp_path, CELL, ("speed_m_s = 0.5", "speed_m_s = 0.3"), ("# The def", "# Def"))
    assert rule.difference(recorded(cell=slower)) == ""
    small = edited(tmp_path, CELL, ("width = 256", "width = 128"))
    difference = rule.difference(recorded(cell=small))
    assert "camera.front driver simulated, height 256, width 128 → " in difference


def test_an_episode_that_is_left_out_is_no_measure_for_the_others(tmp_path: Path) -> None:
    slow = edited(tmp_path, TASK, ("step_s = 0.1", "step_s = 0.2"))
    small = edited(tmp_path, CELL, ("width = 256", "width = 128"))
    for foreign in (
        recorded(task=slow, cell=small),
        recorded_before(task="t" * 64, cell="c" * 64),
        recorded(task=slow).model_copy(update={"identity": None, "cell_sha256": "c" * 64}),
    ):
        rule = IdentityRule(load_task(str(TASK)))
        assert rule.difference(foreign) != ""
        assert [rule.difference(found) for found in (recorded(), recorded_before())] == ["", ""]
    rule = IdentityRule(load_task(str(TASK)))
    assert rule.difference(recorded()) == ""
    both = rule.difference(recorded(task=slow, cell=small))
    for words in ("step_s 0.2 → 0.1", "width 128 → "):
        assert words in both, "all that differs is said"


def test_a_file_of_before_that_nobody_knows_is_compared_by_its_hash(tmp_path: Path) -> None:
    path = edited(tmp_path, TASK, FREE[0])
    rule = IdentityRule(load_task(path))
    mine = recorded_before(task=file_sha256(Path(path)), cell="c" * 64)
    assert rule.difference(mine) == ""
    assert rule.difference(recorded_before(task="t" * 64, cell="c" * 64)) != ""
    other = recorded_before(cell="d" * 64).model_copy(update={"calibration_sha256": "other"})
    assert "cell file dddddddddddd → cccccccccccc" in rule.difference(other)
    rule.admit(other.data_sha256)
    assert rule.difference(other) == ""


def test_what_the_first_release_meant_is_what_its_files_mean() -> None:
    task = load_task(str(TASK))
    assert FIRST_TASKS[FIRST_TASK] == task_facts(task)
    assert FIRST_CELLS[FIRST_CELL] == cell_facts(load_cell(str(CELL)), task)


def test_the_columns_of_an_action_have_the_names_that_were_recorded_with_it() -> None:
    pair = "left_dq1 left_dq2 right_dq1 right_dq2"
    today = recorded()
    two_arms = today.model_copy(
        update={"identity": DataIdentity(facts={"action.columns": pair, "step_s": "0.1"})}
    )
    assert action_names(two_arms, 4) == tuple(pair.split())
    assert action_names(recorded_before(), 7) == action_names(today, 7)
    assert action_names(recorded_before(), 7)[0] == "dx"
    assert action_names(recorded_before(), 2) == ("column1", "column2"), "nobody knows them"
    assert action_names(today, 0) == ()


def test_the_name_of_an_identity_survives_a_database() -> None:
    provenance = recorded()
    again = Provenance.model_validate_json(provenance.model_dump_json())
    assert again.data_sha256 == provenance.data_sha256
    assert recorded_before().data_sha256 != provenance.data_sha256
