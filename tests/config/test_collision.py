"""What a cell file says its arm must not come near."""

from dataclasses import replace
from pathlib import Path

import pytest

from hardware.sim.driver import SimulatedArmSettings, describe
from robot_rl.config import load_cell
from robot_rl.config.cell_arm import CellArm
from robot_rl.config.document import CHECKOUT, BadConfig
from robot_rl.daemon.limits import cell_limits
from safety.vocabulary import ONLY_ARM

TEXT = (CHECKOUT / "cells" / "simulation.toml").read_text()
CARRIED = """
[[collision.capsules]]
name = "camera"
link = 7
from_m = [0.0, 0.0, 0.87]
to_m = [0.0, 0.0, 0.9]
radius_m = 0.03
"""
FIXTURE = """
[[collision.boxes]]
name = "fixture"
centre_m = [0.5, 0.3, 0.1]
size_m = [0.1, 0.1, 0.2]
quaternion = [0.0, 0.0, 0.0, 1.0]
"""


def written(folder: Path, lines: str) -> str:
    file = folder / "cell.toml"
    file.write_text(TEXT.replace("[control]", lines + "\n[control]", 1))
    return str(file)


def test_boxes_and_what_the_arm_carries_are_kept_apart(tmp_path: Path) -> None:
    file = written(tmp_path, CARRIED + FIXTURE)
    kept = cell_limits(load_cell(file).arms[ONLY_ARM]).collision
    assert kept is not None
    assert kept.margin_m == 0.02
    assert {("camera", "table"), ("camera", "fixture"), ("link 2", "camera")} <= set(kept.pairs)
    assert ("fingers", "table") not in kept.pairs, "they are there to touch things"
    ignoring = CARRIED + '\n[collision]\nmargin_m = 0.01\nignored = [["link 2", "camera"]]\n'
    kept = cell_limits(load_cell(written(tmp_path, ignoring)).arms[ONLY_ARM]).collision
    assert kept is not None
    assert kept.margin_m == 0.01
    assert ("link 2", "camera") not in kept.pairs


def test_an_arm_with_a_shape_is_kept_from_itself_without_a_word(tmp_path: Path) -> None:
    bare = TEXT[: TEXT.index("[[collision.boxes]]")] + TEXT[TEXT.index("[control]") :]
    file = tmp_path / "cell.toml"
    file.write_text(bare)
    kept = cell_limits(load_cell(str(file)).arms[ONLY_ARM]).collision
    assert kept is not None
    assert ("base", "hand") in kept.pairs
    assert kept.boxes == ()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (CARRIED.replace("link = 7", "link = 8"), "'camera' is on link 8; the arm has the links 0"),
        (CARRIED.replace("radius_m = 0.03", "radius_m = 0.0"), "radius_m"),
        (CARRIED.replace('"camera"', '"link 5"'), "wo are called 'link 5'"),
        (FIXTURE.replace('"fixture"', '"table"'), "wo boxes are called 'table'"),
        (FIXTURE.replace('"fixture"', '"link 2"'), "a capsule and a box are called 'link 2'"),
        (FIXTURE.replace("0.0, 1.0]", "0.0, 2.0]"), "of length 2; it must be 1"),
        ('[collision]\nignored = [["link 2", "cup"]]', "names 'cup'; the capsules are: base, li"),
        ("[collision]\nmargin_m = 0.5", "margin_m"),
    ],
)
def test_what_is_no_shape_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        load_cell(written(tmp_path, lines))


def test_boxes_are_refused_where_the_driver_describes_no_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = replace(describe(SimulatedArmSettings(driver="simulated_panda")), shape=None)
    monkeypatch.setattr(CellArm, "described", property(lambda _: described))
    with pytest.raises(BadConfig, match="the driver describes no shape of its arm"):
        load_cell(written(tmp_path, ""))
    file = tmp_path / "bare.toml"
    bare = TEXT[: TEXT.index("[[collision.boxes]]")] + TEXT[TEXT.index("[control]") :]
    for margin_m in (0.05, 0.02):  # of which the latter is what it would be anyway
        file.write_text(bare.replace("[control]", f"[collision]\nmargin_m = {margin_m}\n[control]"))
        with pytest.raises(BadConfig, match="the driver describes no shape of its arm"):
            load_cell(str(file))
    file.write_text(bare)
    assert cell_limits(load_cell(str(file)).arms[ONLY_ARM]).collision is None
