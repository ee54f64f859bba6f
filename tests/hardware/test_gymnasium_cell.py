"""A gymnasium environment as an arm: what it is told, where the arm is, and what goes wrong."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from pydantic import ValidationError

from hardware import arm_topics, simulation_topics
from hardware.arm import ArmLaunch, ArmLost, SceneLaunch
from hardware.arm_guard import CommandGuard, GuardedArm
from hardware.camera import open_frames
from hardware.gymnasium_cell import ARM, GymnasiumSettings
from hardware.gymnasium_env.entry import Entry
from hardware.memory import Record
from hardware.sim.panda import default_limits
from tests.hardware.conftest import NO_LIMITS
from tests.hardware.point_environment import SIDE, UNIT_M

STEP_NS, PERIOD_NS = 100_000_000, 2_500_000
DOWN = (0.0, 1.0, 0.0, 0.0)
LIMITS = default_limits()

SECTION: dict[str, Any] = {
    "driver": "gymnasium",
    "environment": "point_environment:PointArm-v0",
    "scene": "push",
    "success": "info.success",
    "action": {
        "size": 4,
        "dx": {"column": 0, "unit": UNIT_M},
        "dy": {"column": 1, "unit": UNIT_M},
        "dz": {"column": 2, "unit": UNIT_M},
        "gripper": {"column": 3, "open": 1.0, "close": 0.0},
    },
    "state": {
        "tcp_position_m": "state[0:3]",
        "tcp_quaternion": "state[3:7]",
        "quaternion_order": "xyzw",
        "gripper": "state[7]",
    },
    "sensors": {"height_m": "state[2]"},
    "objects": {"point": "state[0:7]"},
}


class Stand:
    """The opened arm with a hand on its clock and on the gate's reference."""

    def __init__(
        self, folder: Path, cameras: Any = (), virtual: bool = True, **changed: Any
    ) -> None:
        settings = GymnasiumSettings.model_validate(SECTION | changed)
        scene = SceneLaunch(name="push", seed=3, virtual=virtual, cameras=cameras)
        launch = ArmLaunch(folder=folder, limits=LIMITS, scene=scene)
        self.arm: Any = ARM.open(settings, launch)
        self.folder, self.now_ns, self.sequence = folder, 0, 0
        self.guarded = GuardedArm(self.arm, CommandGuard(NO_LIMITS, 100_000_000))
        self._truth = simulation_topics.open_truth(folder)
        self._episode = simulation_topics.open_episode(folder)

    def run(self, *, episode: bool) -> None:
        self._episode.write(np.array((episode,), simulation_topics.EPISODE))

    def step(
        self, change_m: Any = (0.0, 0.0, 0.0), *, hold: bool = False, gripper: float | None = None
    ) -> np.ndarray:
        """One step of the grid in which the reference moves so far; where the arm then is."""
        start = np.array(self.guarded.measure(self.now_ns).position_m)
        for tick in range(STEP_NS // PERIOD_NS):
            share = (tick + 1) * PERIOD_NS / STEP_NS
            command: Any = np.zeros((), arm_topics.COMMAND)
            self.sequence += 1
            command["sequence"], command["epoch"] = self.sequence, 1
            command["t_ns"], command["valid_until_ns"] = self.now_ns, self.now_ns + STEP_NS
            command["position"] = start + share * np.array(change_m)
            command["quaternion"], command["hold"] = DOWN, hold
            command["gripper"] = 1.0 if gripper is None else gripper
            command["gripper_hold"] = gripper is None
            self.now_ns += PERIOD_NS
            self.guarded.command(command[()], self.now_ns)
            self.guarded.tick(self.now_ns)
        self.arm.scene.show(self.now_ns)
        return np.array(self.guarded.measure(self.now_ns).position_m)

    @property
    def truth(self) -> Record:
        self.arm.scene.tell(self.now_ns)
        return self._truth.read()

    @property
    def fault(self) -> str:
        return self.arm.measure(self.now_ns).fault


type Stands = Callable[..., Stand]


@pytest.fixture
def stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stands]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    opened: list[Stand] = []

    def build(**changed: Any) -> Stand:
        opened.append(Stand(tmp_path, **changed))
        return opened[-1]

    yield build
    for stand in opened:
        stand.arm.close()


def test_the_environment_is_given_the_net_change_of_the_reference(stands: Stands) -> None:
    stand = stands()
    start = stand.step(hold=True)
    stand.run(episode=True)
    there = stand.step((0.02, -0.01, 0.03))
    assert there == pytest.approx(start + np.array([0.02, -0.01, 0.03]), abs=1e-6)
    seen = stand.arm.measure(stand.now_ns)
    assert seen.twist[:3] == pytest.approx([0.2, -0.1, 0.3], abs=1e-5)
    assert seen.sensors == pytest.approx([there[2]])
    assert seen.quaternion_wxyz == pytest.approx(DOWN)


def test_what_is_more_than_its_action_allows_is_cut_off(stands: Stands) -> None:
    stand = stands()
    start = stand.step(hold=True)
    stand.run(episode=True)
    assert stand.step((0.08, 0.0, 0.0)) == pytest.approx(
        start + np.array([UNIT_M, 0.0, 0.0]), abs=1e-6
    )


def test_it_steps_only_while_an_episode_runs_and_from_its_first_motion_on(stands: Stands) -> None:
    stand = stands(arguments={"limit": 3})
    moved = stand.step((0.02, 0.0, 0.0))
    assert float(moved[0]) != pytest.approx(float(stand.truth["poses"][0][0])), "the arm alone"
    stand.arm.scene.place(9, with_arm=True)
    stand.run(episode=True)
    for _ in range(5):
        stand.step(hold=True)
    assert not stand.truth["truncated"], "it has not moved yet"
    stand.step((0.01, 0.0, 0.0))
    stand.step(hold=True)
    assert not stand.truth["truncated"]
    stand.step(hold=True)
    assert stand.truth["truncated"], "a hold takes time once it has"
    before = stand.step(hold=True)
    assert stand.step(hold=True) == pytest.approx(before), "after its end it stands still"
    assert stand.fault == ""


def test_outside_of_episodes_the_arm_comes_to_its_reference_and_a_hold_keeps_it(
    stands: Stands,
) -> None:
    stand = stands()
    start = stand.step(hold=True)
    assert stand.step((0.02, 0.0, 0.0)) == pytest.approx(
        start + np.array([0.02, 0.0, 0.0]), abs=1e-3
    )
    there = stand.step(hold=True)
    assert stand.step((0.02, 0.0, 0.0), hold=True) == pytest.approx(there)


def test_success_and_failure_are_told_and_end_with_a_reset(stands: Stands) -> None:
    stand = stands()
    stand.run(episode=True)
    for _ in range(5):
        stand.step((0.0, 0.0, 0.05))
    assert (bool(stand.truth["success"]), bool(stand.truth["failed"])) == (True, False)
    stand.arm.scene.place(4, with_arm=False)
    truth = stand.truth
    assert not truth["success"]
    assert (int(truth["seed"]), int(truth["resets"])) == (4, 2)
    for _ in range(5):
        stand.step((0.0, 0.0, -0.05))
    truth = stand.truth
    assert (bool(truth["success"]), bool(truth["failed"])) == (False, True)
    assert bytes(truth["names"][0]) == b"point"


def test_without_a_name_success_is_to_terminate_with_a_reward(stands: Stands) -> None:
    stand = stands(success=None)
    stand.run(episode=True)
    for _ in range(5):
        stand.step((0.0, 0.0, 0.05))
    assert stand.truth["success"]


def test_a_seed_gives_the_same_start(stands: Stands) -> None:
    stand = stands()
    first = np.array(stand.truth["start_position"])
    stand.arm.scene.place(4, with_arm=True)
    assert np.abs(np.array(stand.truth["start_position"]) - first).max() > 1e-3
    stand.arm.scene.place(3, with_arm=True)
    assert np.array(stand.truth["start_position"]) == pytest.approx(first)


def test_a_gripper_without_a_word_for_staying_repeats_its_order(stands: Stands) -> None:
    stand = stands()
    stand.run(episode=True)
    opening = lambda: stand.arm.measure(stand.now_ns).gripper_m  # noqa: E731
    stand.step((0.01, 0.0, 0.0))
    assert opening() == pytest.approx(0.085), "it began open"
    stand.step((0.01, 0.0, 0.0), gripper=0.0)
    assert opening() == 0.0
    stand.step((0.01, 0.0, 0.0))
    assert opening() == 0.0
    stand.step((0.01, 0.0, 0.0), gripper=1.0)
    assert opening() == pytest.approx(0.085)


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        ("raises", "RuntimeError: the belt tore"),
        ("hangs", "did not answer in time"),
        ("ends", "its process ended (exit code 7)"),
        ("nan", "tcp_position_m is not finite"),
        ("shape", "state[3:7] is not there: it has 3 values"),
    ],
)
def test_an_environment_that_breaks_makes_the_arm_brake_and_comes_back_by_a_reset(
    stands: Stands, breaks: str, said: str
) -> None:
    stand = stands(arguments={"breaks": breaks}, patience_s=1.0)
    stand.run(episode=True)
    stand.step((0.01, 0.0, 0.0))
    assert stand.fault == ""
    before = stand.step((0.01, 0.0, 0.0))
    assert said in stand.fault
    assert "clear, then reset" in stand.fault
    assert stand.step((0.01, 0.0, 0.0)) == pytest.approx(before)
    assert stand.guarded.clear(stand.now_ns), stand.fault
    stand.run(episode=False)
    stand.arm.scene.place(5, with_arm=True)
    stand.step(hold=True)
    stand.run(episode=True)
    start = stand.step(hold=True)
    assert stand.step((0.01, 0.0, 0.0)) == pytest.approx(
        start + np.array([0.01, 0.0, 0.0]), abs=1e-6
    )
    assert stand.fault == ""


def test_images_are_those_of_the_step(stands: Stands, tmp_path: Path) -> None:
    cameras = (("side", SIDE, SIDE),)
    stand = stands(cameras=cameras, images={"side": "render"})
    frames = open_frames(tmp_path, "side")
    stand.run(episode=True)
    stand.step(hold=True)
    for number in range(1, 4):
        stand.step((0.01, 0.0, 0.0))
        newest = frames.newest()
        assert newest is not None
        assert newest[1] == stand.now_ns
        image = simplejpeg.decode_jpeg(newest[2])
        assert image.shape == (SIDE, SIDE, 3)
        assert np.abs(image.astype(int) - number * 10).max() <= 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"environment": "point_environment:Nothing-v0"}, "Nothing"),
        ({"environment": "CartPole-v1"}, "a Box of one dimension is needed"),
        ({"action": SECTION["action"] | {"size": 5}}, "its action has 4 columns, action.size says"),
        ({"sensors": {"x_m": "nothing[0]"}}, "nothing[0] is not there: found state"),
        ({"python": "/nowhere/python"}, "cannot be run"),
        ({"images": {"side": "render"}, "cameras": (("side", 128, 128),)}, "uint8 (128, 128, 3)"),
    ],
)
def test_an_environment_that_is_not_what_the_cell_says_is_refused(
    stands: Stands, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArmLost) as error:
        stands(**changed)
    assert said in str(error.value)


def test_another_interpreter_with_an_observation_that_is_one_array(tmp_path: Path) -> None:
    """Its own packages: ours are not on its path."""
    state = {"start_position_m": [0.4, 0.0, 0.2], "gripper": "[2]"}
    action = {"size": 1, "dx": {"column": 0, "unit": 0.01}}
    stand = Stand(
        tmp_path,
        environment="Pendulum-v1",
        python=sys.executable,
        success=None,
        action=action,
        state=state,
        sensors={"cosine": "[0]"},
        objects={},
    )
    try:
        stand.run(episode=True)
        start = stand.step(hold=True)
        assert start == pytest.approx([0.4, 0.0, 0.2])
        there = stand.step((0.01, 0.02, 0.0))
        assert there == pytest.approx([0.41, 0.0, 0.2]), "where it was asked to go"
        assert abs(float(stand.arm.measure(stand.now_ns).sensors[0])) <= 1.0
    finally:
        stand.arm.close()


def test_in_real_time_a_step_is_begun_early_and_heard_when_it_is_done(stands: Stands) -> None:
    stand = stands(virtual=False)
    start = stand.step(hold=True)
    stand.run(episode=True)
    stand.step((0.02, 0.0, 0.0))
    deadline = time.monotonic() + 20.0
    while stand.arm.environment.busy:
        assert time.monotonic() < deadline, "the step is not heard"
        stand.arm.tick(stand.now_ns)
    begun = (STEP_NS - 30_000_000) / STEP_NS  # by compute_s, so much of the change was commanded
    environment = stand.truth["poses"][0][:3]
    assert environment == pytest.approx(start + np.array([0.02 * begun, 0.0, 0.0]), abs=6e-4)
    arm = stand.arm.measure(stand.now_ns).position_m
    assert arm == pytest.approx(start + np.array([0.02, 0.0, 0.0]), abs=1e-6), "it goes on"


def test_in_real_time_an_environment_that_is_too_slow_says_so(stands: Stands) -> None:
    stand = stands(virtual=False, arguments={"breaks": "hangs", "at": 1})
    stand.step(hold=True)
    stand.run(episode=True)
    stand.step((0.01, 0.0, 0.0))
    stand.step((0.01, 0.0, 0.0))
    assert "takes longer than its step of 100 ms; run it in lock-step" in stand.fault


JOINTS: dict[str, Any] = {
    "environment": "point_environment:JointArm-v0",
    "success": None,
    "action": {"size": 7, "joints": [{"column": n, "unit": 0.1} for n in range(7)]},
    "state": {"q_rad": "[0:7]"},
    "kinematics": {
        "model": "gym_hil:assets/panda.xml",
        "site": "pinch",
        "joints": [f"joint{n}" for n in range(1, 8)],
    },
    "sensors": {},
    "objects": {},
}


def test_an_environment_that_is_moved_by_its_joints_follows_the_tcp(stands: Stands) -> None:
    stand = stands(**JOINTS)
    start = stand.step(hold=True)
    assert start == pytest.approx([0.49, 0.0, 0.078], abs=1e-3), "where gym-hil's arm begins"
    facing = np.array(stand.arm.measure(0).quaternion_wxyz)
    stand.run(episode=True)
    there = stand.step((0.02, -0.015, 0.02))
    assert there == pytest.approx(start + np.array([0.02, -0.015, 0.02]), abs=1e-4)
    seen = stand.arm.measure(stand.now_ns)
    assert seen.quaternion_wxyz == pytest.approx(facing, abs=1e-3)
    assert np.abs(seen.q_rad).max() > 1.0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "gym_hil:assets/nothing.xml"}, "there is no such file"),
        ({"site": "nothing"}, "nothing"),
    ],
)
def test_a_model_that_is_none_is_refused(stands: Stands, changed: Any, said: str) -> None:
    with pytest.raises(ArmLost) as error:
        stands(**JOINTS | {"kinematics": JOINTS["kinematics"] | changed})
    assert said in str(error.value)


def test_an_entry_is_names_and_a_range() -> None:
    at = Entry.parse("info.a.b[2:5]")
    assert (at.source, at.keys, at.size) == ("info", ("a", "b"), 3)
    assert Entry.parse("[4]").value()["last"] == 5
    assert Entry.parse("render[1]").image()["keys"] == (1,)
    for wrong in ("", "a b", "a[3:3]", "a[-1]", 7):
        with pytest.raises(ValueError, match=r"entry is names|range begins"):
            Entry.parse(wrong)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"step_s": 0.0999}, "a whole number of periods"),
        ({"state": {"tcp_position_m": "state[0:2]"}}, "tcp_position_m is 3 values"),
        ({"state": {}}, "give state.tcp_position_m, or state.start_position_m"),
        ({"state": SECTION["state"] | {"q_rad": "state"}}, "say how many joints"),
        ({"action": {"size": 4}}, "name the columns of dx"),
        ({"action": JOINTS["action"]}, "action.joints needs [arm.kinematics]"),
        ({"kinematics": JOINTS["kinematics"]}, "state.q_rad has 0 joints"),
        ({"action": {"size": 1, "dx": {"column": 1, "unit": 1}}}, "different ones below size"),
        ({"objects": {"cube": "state[0:4]"}}, "objects.cube has 3 or 7 values"),
        ({"sensors": {"x_m": "state[0:4]"}}, "sensors.x_m is one number"),
        ({"compute_s": 0.2}, "must be below step_s"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as error:
        GymnasiumSettings.model_validate(SECTION | changed)
    assert said in str(error.value)
