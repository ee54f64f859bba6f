"""The same arm as a simulation with a scene of its own: `reach`, bring the tool to a target.

There is no camera. A magnet at the target pulls at the tool, and the arm feels the pull: so the
state alone says where the target is.
"""

from dataclasses import replace

import numpy as np
from example_arm import OPENING_M, PERIOD_S, START_RAD, ExampleArm, ExampleArmSettings
from example_arm import describe as describe_real

from hardware import simulation_topics
from hardware.arm import Arm, ArmDescription, ArmDriver, ArmLaunch, Scene, SimulationDescription

NEAR_M = 0.015  # of the tool from the target: done
FAR_M = 0.2  # where progress begins
PULL_N_M = 20.0
TARGETS_M = (0.33, -0.12, 0.15), (0.49, 0.12, 0.35)  # two corners of the box they lie in

MAGNET = f"""
<worldbody><body name="target" mocap="true"><site name="target"/></body></worldbody>
<tendon><spatial stiffness="{PULL_N_M}" springlength="0"><site site="tcp"/><site site="target"/>
</spatial></tendon>
"""


class ReachArm(ExampleArm):
    """Implements `hardware.arm.Arm`, and `hardware.arm.Scene` for itself."""

    def __init__(self, settings: ExampleArmSettings, launch: ArmLaunch) -> None:
        super().__init__(settings, launch, MAGNET)
        self.scene: Scene | None = self
        self._truth = simulation_topics.open_truth(launch.folder)
        self._start = self._reference
        self._seed = self._resets = 0
        self.place(0 if launch.scene is None else launch.scene.seed, with_arm=True)

    def place(self, seed: int, *, with_arm: bool) -> None:
        self._seed, self._resets = seed, self._resets + 1
        self._data.mocap_pos[0] = np.random.default_rng(seed).uniform(*TARGETS_M)
        if with_arm:
            self._data.qpos[:], self._data.qvel[:] = START_RAD, 0.0
            self._target, self._reference = np.array(START_RAD), self._start
            self._opening_m = self._opening_target_m = OPENING_M
        self._measure()

    def show(self, now_ns: int) -> None:
        """Nothing is drawn."""

    def tell(self, now_ns: int) -> None:
        away_m = float(np.linalg.norm(self._to_target_m()))
        truth = np.zeros((), simulation_topics.TRUTH)
        truth["t_ns"], truth["seed"], truth["resets"] = now_ns, self._seed, self._resets
        truth["success"], truth["progress"] = away_m <= NEAR_M, max(0.0, 1.0 - away_m / FAR_M)
        truth["measure_m"] = away_m
        truth["objects"], truth["names"][0] = 1, b"target"
        truth["poses"][0] = *self._data.mocap_pos[0], 1.0, 0.0, 0.0, 0.0
        truth["start_position"], truth["start_quaternion"] = self._start
        truth["start_gripper"] = 1.0
        self._truth.write(truth)

    def _measure(self) -> None:
        super()._measure()
        self._wrench[:3] = PULL_N_M * self._to_target_m()

    def _to_target_m(self) -> np.ndarray:
        return self._data.mocap_pos[0] - self._data.site_xpos[self._site]


def describe(settings: ExampleArmSettings) -> ArmDescription:
    simulation = SimulationDescription(step_ns=round(PERIOD_S * 1e9), scenes=("reach",))
    return replace(describe_real(settings), simulation=simulation)


def open_arm(settings: ExampleArmSettings, launch: ArmLaunch) -> Arm:
    return ReachArm(settings, launch)


ARM = ArmDriver(settings=ExampleArmSettings, describe=describe, open=open_arm)
