"""Where the fuzz run drives: the table, a loose cube, obstacles on every side, and a vice.

The vice is a weld between the hand and the world, which is closed and opened while the arm moves:
a jam, which holds in every direction.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from hardware.sim.physics import Physics
from hardware.sim.scene import HAND_BODY
from hardware.sim.tasks import TASKS, LiftCube
from safety.limits import ArmLimits

SCENE = "fuzz"
_VICE = "vice"
_OBSTACLES = (
    ("post", (0.50, 0.17, 0.10), (0.02, 0.02, 0.10)),
    ("wall", (0.62, -0.10, 0.15), (0.04, 0.06, 0.15)),
    ("step", (0.33, -0.16, 0.03), (0.05, 0.05, 0.03)),
)


class _Obstacles(LiftCube):
    """Nothing is to be done here."""

    def add_objects(self, spec: mujoco.MjSpec) -> None:
        super().add_objects(spec)
        for name, centre, half in _OBSTACLES:
            spec.worldbody.add_geom(
                name=f"fuzz_{name}",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=list(centre),
                size=list(half),
            )
        spec.add_equality(
            name=_VICE,
            type=mujoco.mjtEq.mjEQ_WELD,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            name1=HAND_BODY,
            name2="world",
            active=False,
        )


def build(limits: ArmLimits) -> Physics:
    """The simulated arm among its obstacles."""
    before = dict(TASKS)
    TASKS[SCENE] = _Obstacles
    try:
        return Physics(SCENE, limits, seed=0)
    finally:
        TASKS.clear()
        TASKS.update(before)


class Outside:
    """What the world does to the hand: a push at its TCP, and the vice."""

    def __init__(self, physics: Physics) -> None:
        self._physics = physics
        model, data = physics.model, physics.data
        self._hand = model.body(HAND_BODY).id
        self._vice = model.equality(_VICE).id
        first, last = model.body("link1").id, model.nbody - 1
        self._robot = np.array([first <= i <= last for i in range(model.nbody)])
        self._links = np.array([first <= i < model.body("link7").id for i in range(model.nbody)])
        self._robot[model.body("cube").id] = False
        self._centre: NDArray[np.float64] = data.xipos[self._hand]
        self._applied: NDArray[np.float64] = data.xfrc_applied[self._hand]
        self.push: NDArray[np.float64] = np.zeros(6)  # N and Nm at the TCP
        self.jammed = False
        self.place_m = np.zeros(3)  # of the contacts last found

    def act(self) -> None:
        """Apply the push, for the next step of the engine."""
        lever = self._physics.position_m - self._centre
        self._applied[:3] = self.push[:3]
        self._applied[3:] = self.push[3:] + np.cross(lever, self.push[:3])

    def jam(self, *, closed: bool) -> None:
        """Close the vice on the hand where it is, or open it."""
        model, data = self._physics.model, self._physics.data
        if closed and not self.jammed:
            turn: Any = data.xmat[self._hand].reshape(3, 3)
            back = np.zeros(4)
            mujoco.mju_negQuat(back, data.xquat[self._hand])
            weld = model.eq_data[self._vice]
            weld[:3] = self._physics.position_m
            weld[3:6] = turn.T @ (self._physics.position_m - data.xpos[self._hand])
            weld[6:10] = back
            weld[10] = 1.0
        self.jammed = closed
        data.eq_active[self._vice] = closed

    def touched(self) -> tuple[bool, bool, float]:
        """Whether anything touches the robot; whether a link before the hand; and the rate (1/s) at
        which the stiffest of these contacts brakes what hits it.
        """
        model, data = self._physics.model, self._physics.data
        if not data.ncon:
            return False, False, 0.0
        pairs = model.geom_bodyid[data.contact.geom[: data.ncon]]
        ours = self._robot[pairs]
        hit = ours[:, 0] != ours[:, 1]
        if not hit.any():
            return False, False, 0.0
        links = self._links[pairs[hit]]
        self.place_m = data.contact.pos[: data.ncon][hit].mean(axis=0)
        # The engine's contact brakes like a critically damped spring: first by 2 v / (d t_c).
        time_s = data.contact.solref[: data.ncon][hit, 0]
        most = data.contact.solimp[: data.ncon][hit, 1]
        return True, bool(links.any()), float((2.0 / (most * time_s)).max())
