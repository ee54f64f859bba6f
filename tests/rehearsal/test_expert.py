"""Scripted experts are found by the names of their scenes, ours and those of other packages."""

from pathlib import Path

import numpy as np
import pytest

from hardware.sim.settings import TASK_NAMES
from robot_rl.config import drivers
from robot_rl.rehearsal.expert import NoExpert, View, expert_for
from robot_rl.rehearsal.insert_peg import InsertPegExpert
from robot_rl.rehearsal.lift_cube import LiftCubeExpert
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings

SCALE = (0.02, 0.02, 0.02, 0.0, 0.0, 0.05)

PACKAGE = """
class Juggler:
    def __init__(self, scale):
        self.scale = scale
"""


@pytest.fixture
def juggler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is installed beside robot-rl, as an installer puts it down."""
    (tmp_path / "juggler_scene.py").write_text(PACKAGE)
    metadata = tmp_path / "juggler-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: juggler\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[{drivers.EXPERTS}]\njuggle = juggler_scene:Juggler\nbroken = juggler_scene:Nobody\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("scene", TASK_NAMES)
def test_every_scene_of_our_simulated_arm_has_an_expert(scene: str) -> None:
    expert = expert_for(scene, SCALE)
    assert isinstance(expert, (LiftCubeExpert, InsertPegExpert))
    assert np.array_equal(expert.step_m, SCALE[:3])


def test_a_scene_without_an_expert_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(NoExpert, match=r"scene 'juggle'; installed are: .*insert_peg, lift_cube"):
        expert_for("juggle", SCALE)


@pytest.mark.parametrize("tilt_deg", [-4.0, 4.0])
def test_a_peg_that_tilts_on_the_rim_is_moved_by_its_tip(tilt_deg: float) -> None:
    """Held right over the hole, pressed so that its tip is 4.7 mm beside the middle."""
    half, hole = np.radians(tilt_deg) / 2, np.array([0.47, 0.0, 0.0])
    held = hole + np.array([0.0, 0.0, 0.102])
    expert = expert_for("insert_peg", SCALE)
    view = View(
        t_s=1.0,
        tcp_position_m=held,
        tcp_quaternion=np.array([0.0, 1.0, 0.0, 0.0]),
        gripper_m=0.028,
        objects={
            # Turned about y: its tip, below, is displaced along −x by sin(tilt).
            "peg": (
                held,
                np.array([np.cos(half), 0.0, np.sin(half), 0.0]),
            ),
            "socket": (hole, np.array([1.0, 0.0, 0.0, 0.0])),
        },
        success=False,
        progress=0.0,
    )
    assert np.sign(expert.advise(view).axes[0]) == np.sign(tilt_deg)
    assert expert.distance(view) == pytest.approx(0.0047 + 0.0232, abs=2e-4)


@pytest.mark.parametrize("height_m", [-0.002, 0.020])
def test_a_peg_beside_the_socket_is_lifted_before_it_is_moved(height_m: float) -> None:
    """A policy may come down beside it. Whoever then pushes sideways pushes against the socket."""
    hole = np.array([0.47, 0.0, 0.0])
    held, level = np.array([0.47, 0.034, 0.067 + height_m]), np.array([1.0, 0.0, 0.0, 0.0])
    view = View(
        t_s=1.0,
        tcp_position_m=held,
        tcp_quaternion=np.array([0.0, 1.0, 0.0, 0.0]),
        gripper_m=0.028,
        objects={"peg": (held, level), "socket": (hole, level)},
        success=False,
        progress=0.0,
    )
    axes = expert_for("insert_peg", SCALE).advise(view).axes
    assert axes[2] > 0.3
    assert np.array_equal(axes[:2], [0.0, 0.0])


@pytest.mark.usefixtures("juggler")
def test_an_installed_package_offers_an_expert() -> None:
    assert vars(expert_for("juggle", SCALE)) == {"scale": SCALE}
    with pytest.raises(NoExpert, match=r"scene 'broken' \(juggler_scene:Nobody\) does not load"):
        expert_for("broken", SCALE)


def test_a_rehearsal_without_an_expert_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "EXPERTS", drivers.TELEOP)  # which names no scene
    with pytest.raises(NoExpert, match="lift_cube"):
        rehearse(RehearsalSettings(cell="simulation", task="lift_cube"), tmp_path, quiet=True)
    assert list(tmp_path.iterdir()) == []
