"""The simulated Panda keeps off the table and off itself, by the simulator's own distances.

The gate knows capsules; what is judged here are the meshes and boxes that MuJoCo lets collide.
"""

from dataclasses import dataclass, replace

import mujoco
import numpy as np
import pytest

from hardware.sim.fast_loop import FastLoop
from hardware.sim.gripper import MAX_OPENING_M
from hardware.sim.kinematics import HOME_RAD
from hardware.sim.panda import ACCELERATION_RAD_S2, default_limits
from hardware.sim.panda_shape import SHAPE
from hardware.sim.physics import Physics
from safety.collision import AGREES, Collision
from safety.gate import Gate
from safety.limits import ArmLimits
from safety.measured import Measured
from safety.modes import ModeState
from safety.proposal import Hold, Twist
from safety.settings import GateSettings
from safety.shape import Box, CollisionLimits
from safety.vocabulary import Limit, Mode
from tests.hardware.conftest import CONTROL_NS, LoopDriver

MARGIN_M = 0.02
TOLERANCE_M = 0.004
"""The arm leaves its reference by so much more than the gate foresees."""
WILD_M = 0.010
"""The same when it is pushed and turned at random, at full speed."""

STATE = ModeState(mode=Mode.TAKEOVER)
TABLE = Box(name="table", centre_m=(0.35, 0.0, -0.02), size_m=(1.1, 1.4, 0.04))
# Here the fingers are kept off the table too.
SHY = replace(SHAPE, capsules=tuple(replace(each, touches=False) for each in SHAPE.capsules))
LIMITS = CollisionLimits(shape=SHY, boxes=(TABLE,), margin_m=MARGIN_M)
OF_LINK = {"link0": "base", "base_mount": "hand", "base": "hand"}
FINGERS = ("driver", "coupler", "spring_link", "follower", "pad")
FAR_M = 2.0
CUBE_AWAY_M = (0.9, 0.6, 0.02)
PUSH_S = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Joints at the start, which way the tool is pushed, and what is there."""

    start: tuple[float, ...]
    way: tuple[float, ...]
    onto: str
    slides: bool = False


PUSHES = (
    Push(start=tuple(HOME_RAD.tolist()), way=(0.0, 0.0, -0.4), onto="table"),
    Push(start=tuple(HOME_RAD.tolist()), way=(0.1, 0.3, -0.3), onto="table", slides=True),
    Push(start=(-1.72, 1.38, 1.19, -2.48, 0.57, 1.12, 0.88), way=(-0.3, 0.0, 0.0), onto="link 2"),
    Push(start=(-1.45, 0.91, -1.69, -2.36, -0.16, 1.11, 0.75), way=(0.3, 0.0, 0.0), onto="link 1"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Driven:
    least_m: float  # true distance of what is to be kept apart
    pair: tuple[str, str]  # that came so near
    acted: int  # ticks
    driver: LoopDriver


def capsule_of(body: str) -> str | None:
    """Name of the capsule that encloses a body of the model; None: it is none of the arm's."""
    if any(part in body for part in FINGERS):
        return "fingers"
    if body.startswith("link") and body not in OF_LINK:
        return f"link {body[-1]}"
    return OF_LINK.get(body)


def solids(model: mujoco.MjModel) -> dict[str, list[int]]:
    """Geoms that can touch something, by the capsule that encloses them; and the table's."""
    found: dict[str, list[int]] = {"table": [model.geom("table").id]}
    for geom in range(model.ngeom):
        body = model.body(model.geom_bodyid[geom]).name
        capsule = capsule_of(body) if model.geom_contype[geom] else None
        if capsule is not None:
            found.setdefault(capsule, []).append(geom)
    return found


def vertices(physics: Physics, geom: int) -> np.ndarray:
    """(m, 3) where the corners of a geom are."""
    model, data = physics.model, physics.data
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        begin = model.mesh_vertadr[mesh]
        own = model.mesh_vert[begin : begin + model.mesh_vertnum[mesh]]
    else:
        corners = [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        own = np.array(corners) * model.geom_size[geom]
    return own @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]


def true_distance_m(
    physics: Physics, pair: tuple[str, str], by_name: dict[str, list[int]]
) -> float:
    """MuJoCo's own distance. For some meshes it finds 0 where they are apart (3.8.1, a mesh and a
    large box); then what separates the corners counts.
    """
    least, fromto = FAR_M, np.zeros(6)
    for one in by_name[pair[0]]:
        for two in by_name[pair[1]]:
            told = mujoco.mj_geomDistance(physics.model, physics.data, one, two, FAR_M, fromto)
            if told <= 0.0:
                told = max(told, separation_m(vertices(physics, one), vertices(physics, two)))
            least = min(least, told)
    return least


def separation_m(one: np.ndarray, two: np.ndarray) -> float:
    """A lower bound of the distance of two convex hulls, 0 where none is found (Gilbert 1966)."""
    v, best = one[0] - two[0], 0.0
    for _ in range(200):
        length = float(np.linalg.norm(v))
        w = one[(one @ v).argmin()] - two[(two @ v).argmax()]
        best = max(best, float(v @ w) / length)
        if length - best < 1e-4:
            break
        step = v - w
        v = v - np.clip(v @ step / (step @ step), 0.0, 1.0) * step
        if np.linalg.norm(v) < 1e-6:
            break
    return best


def collision() -> Collision:
    return Collision(LIMITS, 10.0, np.array(ACCELERATION_RAD_S2))


def look(found: Collision, measured: Measured) -> int:
    assert measured.q_rad is not None
    assert measured.jacobian is not None
    rows = np.zeros((found.count, 6))
    q, jacobian = np.array(measured.q_rad), np.array(measured.jacobian)
    return found.see(q, measured.position_m, jacobian, np.zeros((7, 6)), rows)


def seen(driver: LoopDriver) -> Measured:
    state = driver.loop.measure(driver.now_ns)
    return Measured(
        t_robot_ns=driver.now_ns,
        position_m=state.position_m,
        quaternion=state.quaternion_wxyz,
        q_rad=state.q_rad,
        jacobian=state.jacobian,
    )


def standing(
    q: np.ndarray, opening_m: float = MAX_OPENING_M, limits: ArmLimits | None = None
) -> Physics:
    """An arm at rest with its joints at q (7,), the cube out of its way."""
    physics = Physics("lift_cube", limits or default_limits(), seed=0)
    physics.data.qpos[:7] = q
    physics._set_fingers(opening_m)
    physics.gripper.place(opening_m)
    physics.place(0, with_arm=False)
    physics.data.joint("cube").qpos[:3] = CUBE_AWAY_M
    mujoco.mj_forward(physics.model, physics.data)
    return physics


@pytest.mark.parametrize("opening_m", [0.0, 0.03, 0.06, MAX_OPENING_M])
def test_the_capsules_enclose_the_meshes(opening_m: float) -> None:
    physics = standing(np.zeros(7), opening_m)
    by_name = solids(physics.model)
    for capsule in SHAPE.capsules:
        points = np.concatenate([vertices(physics, geom) for geom in by_name[capsule.name]])
        low, high = np.array(capsule.from_m), np.array(capsule.to_m)
        way = high - low
        share = np.clip((points - low) @ way / (way @ way), 0.0, 1.0)
        beyond = np.linalg.norm(points - low - share[:, None] * way, axis=1) - capsule.radius_m
        assert beyond.max() <= 0.0, f"{capsule.name}: {beyond.max() * 1e3:.1f} mm outside"
        if opening_m == MAX_OPENING_M:
            assert beyond.max() > -0.003, f"{capsule.name} is larger than it has to be"


def test_no_capsule_is_further_than_what_it_encloses(rng: np.random.Generator) -> None:
    """At any joints: a pair of meshes is never nearer than the gate believes, to 1 mm."""
    found, compared = collision(), 0
    joints = default_limits().joints
    for _ in range(6):
        physics = standing(rng.uniform(joints.position_min_rad, joints.position_max_rad))
        by_name = solids(physics.model)
        assert look(found, seen(LoopDriver(FastLoop(physics, CONTROL_NS)))) == AGREES
        for pair, believed in zip(LIMITS.pairs, found.distance_m.tolist(), strict=True):
            if believed > 0.0:
                assert true_distance_m(physics, pair, by_name) > believed - 0.001
                compared += 1
    assert compared > 100


def roomy(*, kept: bool) -> ArmLimits:
    """Limits of the shipped cell, without its workspace; and of the arm the gate alone."""
    limits = default_limits()
    wide = replace(
        limits.cartesian,
        box_min_m=np.full(3, -1.0),
        box_max_m=np.full(3, 1.0),
        speed_m_s=0.5,
        acceleration_m_s2=10.0,
        jerk_m_s3=800.0,
        angular_speed_rad_s=1.5,
        angular_acceleration_rad_s2=30.0,
        angular_jerk_rad_s3=2000.0,
    )
    return replace(
        limits,
        cartesian=wide,
        joints=replace(limits.joints, acceleration_rad_s2=np.array(ACCELERATION_RAD_S2)),
        gains=replace(limits.gains, nullspace_stiffness_nm_rad=0.0),
        collision=LIMITS if kept else None,
    )


def driven(start: np.ndarray, way: tuple[float, ...], *, kept: bool) -> Driven:
    """A person pushes one way from joints (7,)."""
    limits = roomy(kept=kept)
    driver = LoopDriver(FastLoop(standing(start, limits=limits), CONTROL_NS))
    physics = driver.loop.physics
    gate = Gate(limits, GateSettings(period_s=CONTROL_NS * 1e-9), seen(driver))
    by_name, believed = solids(physics.model), collision()
    least, nearest, acted = FAR_M, ("", ""), 0
    for number in range(round(PUSH_S * 1e9 / CONTROL_NS)):
        twist = Twist(
            epoch=STATE.epoch, received_ns=driver.now_ns, twist=np.array([*way, 0.0, 0.0, 0.0])
        )
        decision = gate.tick(driver.now_ns, seen(driver), twist, STATE)
        driver.step(decision.command.position_m, decision.command.quaternion, 1.0)
        acted += Limit.COLLISION in decision.verdict.limits
        if number % 4 == 0:  # true distances cost more than the physics
            look(believed, seen(driver))
            for index in np.flatnonzero(believed.distance_m < MARGIN_M + 0.01):
                pair = LIMITS.pairs[index]
                true = true_distance_m(physics, pair, by_name)
                if true < least:
                    least, nearest = true, pair
    return Driven(least_m=least, pair=nearest, acted=acted, driver=driver)


@pytest.mark.parametrize("push", PUSHES)
def test_the_arm_stops_before_what_it_is_driven_at(push: Push) -> None:
    found = driven(np.array(push.start), push.way, kept=True)
    assert push.onto in found.pair
    assert found.least_m > MARGIN_M - TOLERANCE_M
    assert found.acted > 50
    assert not found.driver.loop.braking
    speed = np.abs(found.driver.loop.physics.dq).max()
    assert speed > 0.1 if push.slides else speed < 0.1, "and slides along it, or stands there"


@pytest.mark.parametrize("push", PUSHES)
def test_control_without_a_shape_the_arm_runs_into_it(push: Push) -> None:
    found = driven(np.array(push.start), push.way, kept=False)
    assert push.onto in found.pair
    assert found.least_m < MARGIN_M - TOLERANCE_M - 0.005
    assert found.acted == 0


def wildest(rng: np.random.Generator, *, kept: bool) -> tuple[float, int]:
    """Pushes and turns that change ten times a second, now and then a hold: the least distance of
    capsules, and how often the limit acted.
    """
    limits, believed = roomy(kept=kept), collision()
    least, acted = FAR_M, 0
    for push in (*PUSHES, *PUSHES[2:]):
        driver = LoopDriver(FastLoop(standing(np.array(push.start), limits=limits), CONTROL_NS))
        gate = Gate(limits, GateSettings(period_s=CONTROL_NS * 1e-9), seen(driver))
        liking, scale = rng.normal(size=6), np.array([0.25] * 3 + [0.8] * 3)
        liking[:3] += 5.0 * np.array(push.way)
        twist, holds = np.zeros(6), False
        for number in range(300):
            if number % 20 == 0:
                twist, holds = scale * (liking + rng.normal(size=6)), rng.random() < 0.05
            person = Twist(epoch=STATE.epoch, received_ns=driver.now_ns, twist=twist)
            decision = gate.tick(driver.now_ns, seen(driver), Hold() if holds else person, STATE)
            driver.step(decision.command.position_m, decision.command.quaternion, 1.0)
            acted += Limit.COLLISION in decision.verdict.limits
            look(believed, seen(driver))
            least = min(least, float(believed.distance_m.min()))
    return least, acted


def test_whatever_is_asked_the_links_stay_apart(rng: np.random.Generator) -> None:
    least, acted = wildest(rng, kept=True)
    assert least > MARGIN_M - WILD_M
    assert acted > 100


def test_control_without_a_shape_they_do_not(rng: np.random.Generator) -> None:
    least, acted = wildest(rng, kept=False)
    assert least < 0.0
    assert acted == 0
