"""A cell file that would be unsafe or impossible is refused with a sentence."""

from dataclasses import replace
from pathlib import Path

import pytest

from hardware.arm import SimulationDescription
from hardware.sim.driver import SimulatedArmSettings, describe
from robot_rl.config import Cell, load_cell
from robot_rl.config.cell_arm import CellArm
from robot_rl.config.document import CHECKOUT, BadConfig


@pytest.fixture
def changed(tmp_path: Path):
    """The default cell with lines added, as a file."""

    def write(lines: str) -> str:
        file = tmp_path / "cell.toml"
        text = (CHECKOUT / "cells" / "simulation.toml").read_text()
        control = text[text.index("[control]") : text.index("[cameras.front]")]
        if "[control]" in lines:  # a section stands in a file once
            text = text.replace(control, "")
        file.write_text(text + "\n" + lines)
        return str(file)

    return write


def assert_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """The simulated cell with one place of its file changed is refused in these words."""
    text = (CHECKOUT / "cells" / "simulation.toml").read_text()
    assert old in text
    file = tmp_path / "cell.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(BadConfig, match=said):
        load_cell(str(file))


@pytest.mark.parametrize(
    ("rate_hz", "missed", "allowed"),
    [(200, 20, True), (200, 21, False), (50, 5, True), (50, 6, False), (250, 25, True)],
)
def test_an_arm_without_control_has_to_brake_within_100_ms(
    changed, rate_hz: int, missed: int, allowed: bool
) -> None:
    file = changed(f"[control]\nrate_hz = {rate_hz}\nwatchdog_missed_commands = {missed}\n")
    if allowed:
        assert load_cell(file).control.watchdog_s <= 0.1 + 1e-9
        return
    with pytest.raises(BadConfig, match=rf"0\.1 s is allowed, which is {missed - 1} at this rate"):
        load_cell(file)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[control]\nrate_hz = 60", "control.rate_hz = 60: one control period"),
        (
            "[control]\nrate_hz = 500\nwatchdog_missed_commands = 50",
            "cell.toml: control.rate_hz is 500, and the arm steps 500 times a second",
        ),
        ('[cameras.side]\ndriver = "simulated"', "cameras front and wrist only"),
        (
            '[[teleop]]\ndriver = "spacemouse"\naxes = "ros"',
            "axes is not a known key of .*dead_band, def",
        ),
    ],
)
def test_a_cell_that_cannot_run_is_refused(changed, lines: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        load_cell(changed(lines + "\n"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "static_torque_nm = 15.0",
            "",
            "limits: static_torque_nm is missing: state the most .* is 15 Nm; if that is right "
            "write static_torque_nm = 15, else lower impedance.rotational_stiffness_nm_rad or cl",
        ),
        ("free_speed_m_s = 0.45", "", "right write free_speed_m_s = 0.448, else lower the clip"),
        ("free_rotation_rad_s = 0.62", "", "write free_rotation_rad_s = 0.613, else"),
        (
            "clip_rad = [0.1, 0.1, 0.1]",
            "clip_rad = [0.1, 0.1, 0.2]",
            "Rotational stiffness × clip_rad is 30 Nm on z and static_torque_nm is 15 Nm",
        ),
        ("stiffness_n_m = [2000, 2000, 2000]", "stiffness_n_m = [9, 9, 2400]", "48 N on z and st"),
        (
            "[impedance]",
            "[impedance]\ndamping_ratio = 0.5",
            "Free speed .* is 0.894 m/s on x and free_speed_m_s is 0.45 m/s: lower the clip, or r",
        ),
        (
            "workspace_min_m = [0.25, -0.25, 0.01]\nworkspace_max_m = [0.60, 0.25, 0.45]",
            "workspace_min_m = [-1, -1, -1]\nworkspace_max_m = [1, 1, 1]",
            "the workspace is 2 m wide on x, which limits nothing: below 2 m is allowed",
        ),
        ("margin_m = 0.02", "margin_m = 5", "margin_m is 5 m, which limits nothing: below 0.1 is"),
        ("static_force_n = 40.0", "static_force_n = 4e6", "static_force_n is 4e.06 N, which li"),
    ],
)
def test_limits_that_allow_more_than_is_stated_or_limit_nothing_are_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert_refused(tmp_path, old, new, said)


def test_a_control_loop_that_stood_still_for_50_ms_latches_unless_the_cell_says_longer(
    changed,
) -> None:
    """Fault 15; only the simulated cell, which runs on busy machines, says longer in its file."""
    assert load_cell(changed("[control]\nrate_hz = 200\n")).control.freeze_latch_s == 0.05
    assert load_cell("simulation").control.freeze_latch_s == 0.25


@pytest.mark.parametrize(
    ("simulation", "said"),
    [
        (None, "is not simulated"),
        (SimulationDescription(step_ns=2_000_000, scenes=("reach",)), "draws none"),
    ],
)
def test_a_camera_that_nobody_draws_is_refused(
    changed, monkeypatch: pytest.MonkeyPatch, simulation: SimulationDescription | None, said: str
) -> None:
    settings = SimulatedArmSettings(driver="simulated_panda")
    described = replace(describe(settings), simulation=simulation)
    monkeypatch.setattr(CellArm, "described", property(lambda _: described))
    with pytest.raises(
        BadConfig, match=rf"cameras\.front is drawn by a simulation, and the arm {said}"
    ):
        load_cell(changed(""))


def test_only_a_simulated_cell_may_latch_a_frozen_control_later(
    changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cell, "simulated", property(lambda _: False))
    with pytest.raises(BadConfig, match=r"freeze_latch_s is 0\.25; at most 0\.05 s is allowed"):
        load_cell(changed(""))
    assert load_cell(changed("[control]\nrate_hz = 200\n")).control.freeze_latch_s == 0.05


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'driver = "simulated_panda"',
            'driver = "simulated_pandas"',
            "cell.toml: arm: there is no arm driver 'simulated_pandas'; installed are: .*sim",
        ),
        (
            '[cameras.front]\ndriver = "simulated"',
            '[cameras.front]\ndriver = "kinect"',
            "cameras.front: there is no camera driver 'kinect'; installed are: gymnasium, re",
        ),
        ('driver = "simulated_panda"', "", "arm: driver is missing; installed are: .*simulated_p"),
        (
            'driver = "simulated_panda"',
            'driver = "simulated_panda"\nphysics_dt = 0.001',
            "arm: physics_dt is not a known key of the driver 'simulated_panda'; known are: phys",
        ),
        (
            'driver = "simulated_panda"',
            'driver = "simulated_panda"\nphysics_dt_s = 0.01',
            "arm: physics_dt_s = 0.01: input should be less than or equal to 0.002",
        ),
        (
            "torque_nm = [87, 87, 87, 87, 12, 12, 12]",
            "torque_nm = [87, 87, 87, 87, 12, 12]",
            "torque_nm has 6 values, and the arm has 7 joints",
        ),
    ],
)
def test_a_driver_is_known_by_name_and_checks_its_own_settings(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert_refused(tmp_path, old, new, said)
