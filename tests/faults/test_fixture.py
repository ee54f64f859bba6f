"""A fixture that the cell declares, through the whole robot: file, control, arm, record."""

from pathlib import Path

import pytest

from robot_rl.config import load_cell
from robot_rl.config.document import CHECKOUT
from safety.vocabulary import Limit
from tests.faults import cell as fault_cell
from tests.faults.cell import FAST
from tests.faults.conftest import MakeCell

FACE_M = 0.15
"""On y, of a box beside the hand, above the fingers and below the wrist."""
HAND_M, MARGIN_M = 0.044, 0.02


def with_box(
    folder: Path, monkeypatch: pytest.MonkeyPatch, centre_y_m: float, centre_z_m: float = 0.24
) -> None:
    """Robots of this test have the shipped cell with a box 0.1 m wide."""
    file = folder / "cell.toml"
    text = (CHECKOUT / "cells" / "simulation.toml").read_text()
    box = f'\n[[collision.boxes]]\nname = "rack"\ncentre_m = [0.45, {centre_y_m}, {centre_z_m}]\n'
    file.write_text(text + box + "size_m = [0.3, 0.1, 0.07]\n")
    loaded = load_cell(str(file))
    monkeypatch.setattr(fault_cell, "load_cell", lambda _: loaded)


def driven(make_cell: MakeCell) -> tuple[float, Limit]:
    """A person drives along y: how far the hand came, and the limits that acted."""
    cell, acted = make_cell(), Limit.NONE
    cell.take_over()
    for _ in range(40):
        cell.drive_for(50, axes=FAST)
        acted |= Limit(int(cell.status["limits"]))
    return float(cell.position_m[1]), acted


def test_a_person_cannot_drive_the_hand_into_it(
    make_cell: MakeCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_box(tmp_path, monkeypatch, FACE_M + 0.05)
    reached_m, acted = driven(make_cell)
    furthest_m = FACE_M - HAND_M - MARGIN_M
    assert furthest_m - 0.01 < reached_m < furthest_m + 0.006, "past an edge a little further"
    assert Limit.COLLISION in acted


def test_control_where_no_box_is_declared_the_hand_goes_there(make_cell: MakeCell) -> None:
    reached_m, acted = driven(make_cell)
    assert reached_m > FACE_M
    assert Limit.COLLISION not in acted


def test_a_box_where_the_arm_stands_is_refused_at_the_start(
    make_cell: MakeCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_box(tmp_path, monkeypatch, 0.0, 0.32)
    with pytest.raises(SystemExit, match=r"^control: '.*' and 'rack' overlap by \d+ mm where the"):
        make_cell()
