"""Where the fuzz run drives: the table, a loose cube, obstacles on every side, and a vice.

The vice is a weld between the hand and the world, which is closed and opened while the arm moves:
a jam, which holds in every direction.
"""

from dataclasses import dataclass, field
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


class FeltPhysics(Physics):
    """Also reads what the engine's contacts press with, in the one moment in which it is there:
    they are solved, and the next ones not yet looked for.
    """

    outside: "Outside | None" = None

    def _measure(self) -> None:
        if self.outside is not None:
            self.outside.feel()
        super()._measure()


@dataclass(slots=True)
class Touch:
    """What touched the robot in the last step of the engine."""

    hit: bool = False
    links: bool = False  # a link before the hand, too
    rate_per_s: float = 0.0  # at which the stiffest contact brakes what hits it
    out_m_s2: float = 0.0  # with which the engine pushes apart what is in one another
    place_m: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))  # mean of all
    wrench: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))
    """Of all contacts on the robot, N and Nm about its TCP. From joint torques it could not be told
    near a singularity, where the arm bears a force without them."""


def build(limits: ArmLimits) -> FeltPhysics:
    """The simulated arm among its obstacles."""
    before = dict(TASKS)
    TASKS[SCENE] = _Obstacles
    try:
        return FeltPhysics(SCENE, limits, seed=0)
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
        self.touch = Touch()

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

    def feel(self) -> None:
        """Look at the contacts as the engine has just solved them."""
        self.touch = touch = Touch()
        model, data = self._physics.model, self._physics.data
        if not data.ncon:
            return
        pairs = model.geom_bodyid[data.contact.geom[: data.ncon]]
        ours = self._robot[pairs]
        hit = np.flatnonzero(ours[:, 0] != ours[:, 1])
        if not len(hit):
            return
        touch.hit, touch.links = True, bool(self._links[pairs[hit]].any())
        places_m = data.contact.pos[hit]
        touch.place_m = places_m.mean(axis=0)
        # The engine's contact is a critically damped spring (MuJoCo, "Solver parameters"): it asks
        # for the deceleration 2 v / (d t_c) + r / (d t_c^2), at speed v and depth r. At an edge the
        # depth may appear from one step to the next.
        time_s, most = data.contact.solref[hit, 0], data.contact.solimp[hit, 1]
        depth_m = np.maximum(-data.contact.dist[hit], 0.0)
        touch.rate_per_s = float((2.0 / (most * time_s)).max())
        touch.out_m_s2 = float((depth_m / (most * time_s**2)).max())
        felt, tcp_m = np.zeros(6), self._physics.position_m
        for contact, place_m in zip(hit.tolist(), places_m, strict=True):
            mujoco.mj_contactForce(model, data, contact, felt)
            # Rows of the frame: normal, tangents. The force is of the first body on the second.
            frame = data.contact.frame[contact].reshape(3, 3).T
            side = 1.0 if ours[contact, 1] else -1.0
            force, moment = side * (frame @ felt[:3]), side * (frame @ felt[3:])
            touch.wrench[:3] += force
            touch.wrench[3:] += moment + np.cross(place_m - tcp_m, force)
