"""Links are kept from one another and from boxes, whatever the number of joints."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safety import links
from safety.checked import LimitError
from safety.collision import AGREES, Collision
from safety.joint_space import JointSpace
from safety.limits import ArmLimits, BrakeGains
from safety.nearest import SWEEPS, project
from safety.proposal import Twist
from safety.shape import ArmShape, Box, Capsule, CollisionLimits, JointAxis
from safety.vocabulary import Limit, Mode, Reject
from tests.safety.chain import (
    DT,
    PERIOD_NS,
    Chain,
    ChainRig,
    chain,
    joint_limits,
    measured,
)

MARGIN_M, RADIUS_M = 0.02, 0.03
ALL = [3, 5, 6, 7, 8]
seeds = st.integers(0, 2**32 - 1)


def triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def shape(arm: Chain, **changes: object) -> ArmShape:
    """A capsule from each joint to the next, and from the last one to the tool."""
    ends = [*arm.points, arm.pose(np.zeros(len(arm.axes)))[0]]
    capsules = tuple(
        Capsule(
            name=f"link {k + 1}",
            link=k + 1,
            from_m=triple(ends[k]),
            to_m=triple(ends[k + 1]),
            radius_m=RADIUS_M,
        )
        for k in range(len(arm.axes))
    )
    axes = tuple(
        JointAxis(direction=triple(axis), point_m=triple(point))
        for axis, point in zip(arm.axes, arm.points, strict=True)
    )
    # Short and oblique links: these stand nearer to one another than the margin.
    near = {
        (one.name, two.name) for one in capsules for two in capsules if 1 < two.link - one.link < 4
    }
    return replace(ArmShape(axes=axes, capsules=capsules, ignored=tuple(sorted(near))), **changes)  # type: ignore[arg-type]


def tool(arm: Chain, q: np.ndarray) -> np.ndarray:
    return arm.pose(q)[0]


def box_at(centre: np.ndarray, size: float = 0.1, **changes: object) -> Box:
    given: dict[str, object] = {"name": "block", "centre_m": triple(centre), "size_m": (size,) * 3}
    return Box(**given | changes)  # type: ignore[arg-type]


def of(arm: Chain, *boxes: Box, **changes: object) -> CollisionLimits:
    return CollisionLimits(shape=shape(arm, **changes), boxes=boxes, margin_m=MARGIN_M)


def collision(limits: CollisionLimits) -> Collision:
    return Collision(limits, 10.0, np.full(len(limits.shape.axes), 20.0))


def look(found: Collision, arm: Chain, q: np.ndarray) -> np.ndarray:
    """Distances (m,) with the joints there."""
    seen = measured(arm, q, 0)
    assert seen.jacobian is not None
    rows = np.zeros((found.count, 6))
    away = found.see(q, seen.position_m, seen.jacobian, np.zeros((len(q), 6)), rows)
    assert away == AGREES
    return found.distance_m.copy()


# --- Geometry ---


@pytest.mark.parametrize("joints", ALL)
def test_the_jacobian_is_that_of_the_joints_lines(joints: int, rng: np.random.Generator) -> None:
    arm, _ = chain(joints)
    found = collision(of(arm, box_at(np.full(3, 2.0))))
    for _ in range(20):
        q = rng.uniform(-3.0, 3.0, joints)
        position, _, jacobian = arm.pose(q)
        assert found.jacobian(q, position) == pytest.approx(jacobian, abs=1e-9)


@given(seeds, st.sampled_from(ALL))
@example(4486061, 3)  # a link whose middle line is inside the box
@settings(max_examples=80, deadline=None)
def test_gradients_are_those_of_finite_differences(seed: int, joints: int) -> None:
    rng = np.random.default_rng(seed)
    arm, _ = chain(joints)
    turned = rng.normal(size=4)
    block = box_at(
        rng.uniform(-0.6, 0.6, 3), 0.2, quaternion=tuple(turned / np.linalg.norm(turned))
    )
    limits = of(arm, block, ignored=())
    found = collision(limits)
    # Two links whose middle lines cross, or one whose line enters the box, have no exact gradient:
    # within a box it is that of one point of the line.
    deepest_m = np.array([-RADIUS_M if "block" in pair else -2 * RADIUS_M for pair in limits.pairs])
    q, step = rng.uniform(-2.5, 2.5, joints), 1e-6
    distance = look(found, arm, q)
    gradient, compared = found.gradient.copy(), 0
    for k in range(joints):
        aside = np.zeros(joints)
        aside[k] = step
        ahead = (look(found, arm, q + aside) - distance) / step
        behind = (distance - look(found, arm, q - aside)) / step
        # Where both sides differ the nearest points jump, and there is no gradient.
        smooth = (np.abs(ahead - behind) < 1e-3) & (distance > deepest_m + 1e-3)
        assert gradient[smooth, k] == pytest.approx(0.5 * (ahead + behind)[smooth], abs=1e-3)
        compared += int(smooth.sum())
    assert compared > joints


def test_what_a_pair_may_count_on_is_the_weaker_of_tool_and_joints() -> None:
    arm, bent = chain(7)
    limits = of(arm, box_at(tool(arm, bent) - [0.0, 0.0, 0.2]))
    strong = Collision(limits, 2.0, np.full(7, 100.0))
    weak = Collision(limits, 2.0, np.full(7, 0.1))
    for each in (strong, weak):
        look(each, arm, bent)
    onto = limits.pairs.index(("link 7", "block"))
    assert strong.braking[onto] == pytest.approx(1.0)
    assert weak.braking[onto] == pytest.approx(0.05 * np.abs(weak.gradient[onto]).sum())


# --- In the gate ---

FREELY = np.full(3, -np.inf), np.full(3, np.inf)


@pytest.fixture
def roomy(arm_limits: ArmLimits, state_much: dict[str, float]) -> ArmLimits:
    """Box and clip that leave the pairs alone to bound the motion."""
    cartesian = replace(
        arm_limits.cartesian,
        box_min_m=np.full(3, -2.0),
        box_max_m=np.full(3, 2.0),
        clip_m=np.full((2, 3), 0.05),
        clip_rad=np.full((2, 3), 0.3),
        acceleration_m_s2=10.0,
        jerk_m_s3=1000.0,
    )
    return replace(arm_limits, cartesian=cartesian, **state_much)


def rig_of(
    roomy: ArmLimits, joints: int, limits: CollisionLimits | None, q: np.ndarray | None = None
) -> ChainRig:
    arm, bent = chain(joints)
    gains = np.ones(joints)
    kept = replace(
        roomy,
        joints=joint_limits(bent, room_rad=1.5),
        brake=BrakeGains(stiffness_nm_rad=gains, damping_nm_s_rad=gains),
        collision=limits,
    )
    return ChainRig.make(kept, arm, bent if q is None else q)


def push(rig: ChainRig, values: np.ndarray, ticks: int = 300) -> list[np.ndarray]:
    before = len(rig.joints)
    twist = np.zeros(6)
    twist[: len(values)] = values
    rig.run(
        lambda: Twist(epoch=rig.state.epoch, received_ns=rig.now_ns, twist=twist),
        ticks,
    )
    return rig.joints[before:]


def least(rig: ChainRig, limits: CollisionLimits, path: list[np.ndarray]) -> float:
    found = collision(limits)
    return min(float(look(found, rig.chain, q).min()) for q in path)


def acted(rig: ChainRig) -> int:
    return sum(Limit.COLLISION in each.verdict.limits for each in rig.decisions)


TOWARDS = [np.array(way) for way in ((0.0, 0.0, -0.3), (0.2, 0.0, -0.2), (0.0, 0.3, 0.0))]


@pytest.mark.parametrize("joints", [6, 7, 8])
@pytest.mark.parametrize("way", TOWARDS)
def test_nothing_comes_nearer_than_the_margin(
    roomy: ArmLimits, joints: int, way: np.ndarray
) -> None:
    arm, bent = chain(joints)
    block = box_at(tool(arm, bent) + 0.15 * way / np.linalg.norm(way), 0.08)
    limits = of(arm, block)
    rig = rig_of(roomy, joints, limits)
    path = push(rig, way)
    assert least(rig, limits, path) > MARGIN_M - 0.002
    assert least(rig, limits, path) < MARGIN_M + 0.01, "it comes as near as it may"
    assert acted(rig) > 50
    assert least(rig, limits, path[-1:]) > MARGIN_M - 0.001


@pytest.mark.parametrize("joints", [6, 7, 8])
@pytest.mark.parametrize("way", TOWARDS)
def test_control_without_a_shape_it_runs_into_the_box(
    roomy: ArmLimits, joints: int, way: np.ndarray
) -> None:
    arm, bent = chain(joints)
    limits = of(arm, box_at(tool(arm, bent) + 0.15 * way / np.linalg.norm(way), 0.08))
    rig = rig_of(roomy, joints, None)
    assert least(rig, limits, push(rig, way)) < 0.0
    assert acted(rig) == 0


def test_motion_away_and_along_is_free(roomy: ArmLimits) -> None:
    arm, bent = chain(7)
    down = np.array([0.0, 0.0, -0.3])
    table = box_at(tool(arm, bent) - [0.0, 0.0, 0.2], size_m=(2.0, 2.0, 0.2))
    rig = rig_of(roomy, 7, of(arm, table))
    push(rig, down)
    start = tool(arm, rig.q)
    push(rig, np.array([0.0, 0.2, -0.2]), 100)
    assert tool(arm, rig.q)[1] - start[1] > 0.05, "it slides"
    turned = np.abs(rig.gate.quaternion - measured(arm, bent, 0).quaternion).max()
    assert turned < 0.05, "and hardly leans over"
    height = tool(arm, rig.q)[2]
    push(rig, -down, 40)
    assert tool(arm, rig.q)[2] > height + 0.03, "and comes away at once"
    free = rig.decisions[-1].verdict.limits
    assert Limit.COLLISION not in free


def test_within_the_margin_nothing_moves_by_itself_and_nothing_comes_nearer(
    roomy: ArmLimits,
) -> None:
    """Carried there by hand: the arm stays until somebody drives it, and then only goes away."""
    arm, bent = chain(7)
    limits = of(arm, box_at(tool(arm, bent) - [0.0, 0.0, 0.04 + RADIUS_M + 0.01], 0.08))
    rig = rig_of(roomy, 7, limits)
    near = least(rig, limits, [bent])
    assert near < MARGIN_M
    path = push(rig, np.array([0.0, 0.0, -0.2]), 60)
    assert least(rig, limits, path) == pytest.approx(near, abs=5e-4)
    rig.run(lambda: Twist(epoch=rig.state.epoch, received_ns=rig.now_ns, twist=np.zeros(6)), 60)
    assert least(rig, limits, [rig.q]) == pytest.approx(near, abs=5e-4)
    push(rig, np.array([0.0, 0.0, 0.2]), 60)
    assert least(rig, limits, [rig.q]) > near + 0.02


def test_the_reference_does_not_wind_up_before_a_box(roomy: ArmLimits) -> None:
    arm, bent = chain(7)
    rig = rig_of(roomy, 7, of(arm, box_at(tool(arm, bent) - [0.0, 0.0, 0.2], 0.2)))
    push(rig, np.array([0.0, 0.0, -0.3]), 500)
    assert np.abs(rig.gate.velocity[:3]).max() < 0.02
    height = rig.gate.position_m[2]
    push(rig, np.array([0.0, 0.0, 0.3]), 20)
    assert rig.gate.position_m[2] > height + 0.002


def test_a_pair_that_acts_is_told_apart_from_a_joint(rng: np.random.Generator) -> None:
    rows = np.vstack([np.eye(6)[:1], np.eye(6)[1:2]])
    low, high = np.array([-0.1, -0.1]), np.array([0.1, np.inf])
    for wanted, flags in (
        ([0.3, 0.0], Limit.JOINT),
        ([0.0, -0.3], Limit.COLLISION),
        ([0.3, -0.3], Limit.JOINT | Limit.COLLISION),
        ([0.0, 0.3], Limit.NONE),
    ):
        motion = np.array([*wanted, 0.0, 0.0, 0.0, 0.0])
        assert Limit(project(rows, low, high, 1, motion, *FREELY, SWEEPS)) == flags
        assert (rows @ motion <= high + 1e-6).all()
        assert (rows @ motion >= low - 1e-6).all()


def test_a_pair_of_which_only_a_turn_makes_less_is_stopped_by_turning_less() -> None:
    rows, wanted = np.zeros((1, 6)), np.array([0.1, 0.0, 0.0, 0.0, 0.5, 0.0])
    rows[0, 4] = -1.0
    flags = project(rows, np.array([-0.2]), np.array([np.inf]), 0, wanted, *FREELY, SWEEPS)
    assert Limit(flags) == Limit.COLLISION
    assert wanted == pytest.approx([0.1, 0.0, 0.0, 0.0, 0.2, 0.0], abs=1e-5)


@pytest.mark.parametrize("ways", [1, 2, 3])
def test_what_cannot_give_way_by_translation_turns_less(ways: int) -> None:
    """At a face of the workspace the translation is not made; the turn alone would come nearer."""
    rows, wanted = np.zeros((1, 6)), np.array([0.0, 0.0, 0.0, 0.0, 0.5, 0.0])
    rows[0, :3], rows[0, 4] = [1.0, 0.5, 0.2], -1.0
    back, forth = np.full(3, -1.0), np.full(3, 1.0)
    forth[:ways] = 0.01
    low = np.array([-0.1])
    flags = project(rows, low, np.array([np.inf]), 0, wanted, back, forth, SWEEPS)
    assert Limit.COLLISION in Limit(flags)
    assert (wanted[:3] <= forth).all()
    assert float(rows[0] @ wanted) == pytest.approx(-0.1, abs=1e-5)


@pytest.mark.parametrize("by", ["nothing", "face", "clip"])
def test_where_the_arm_cannot_give_way_nothing_comes_nearer_by_turning(
    roomy: ArmLimits, by: str
) -> None:
    """Its link leans at a block beside it; a face of the workspace, or the clip, keeps it there."""
    arm, bent = chain(7)
    at, low, clip_m = tool(arm, bent), np.full(3, -2.0), np.full((2, 3), 0.05)
    if by == "face":
        low[1] = at[1]
    elif by == "clip":
        clip_m[0, 1] = 1e-6
    beside = np.array([0.0, 0.05 + RADIUS_M + MARGIN_M + 0.004, 0.12])
    limits = of(arm, box_at(at + beside, 0.1))
    cartesian = replace(roomy.cartesian, box_min_m=low, clip_m=clip_m)
    rig = rig_of(replace(roomy, cartesian=cartesian), 7, limits)
    path = push(rig, np.array([0.0, 0.0, 0.0, -0.5, 0.0, 0.0]), 100)
    assert acted(rig) > 50
    assert least(rig, limits, path) > MARGIN_M - 0.002


# --- Whether the shape is this arm's ---


@pytest.mark.parametrize("joints", ALL)
def test_a_shape_of_another_arm_is_refused_at_the_start(roomy: ArmLimits, joints: int) -> None:
    """Each joint in turn is a little elsewhere, or turns the other way."""
    arm, bent = chain(joints)
    q = bent + 0.1
    for k in range(joints):
        for axis, point in ((-arm.axes[k], arm.points[k]), (arm.axes[k], arm.points[k] + 0.02)):
            axes, points = arm.axes.copy(), arm.points.copy()
            axes[k], points[k] = axis, point
            wrong = of(Chain(axes, points), box_at(np.full(3, 3.0)))
            with pytest.raises(LimitError, match=f"The axis of joint {k + 1} is not where"):
                rig_of(roomy, joints, wrong, q)
    rig_of(roomy, joints, of(arm, box_at(np.full(3, 3.0))), q)


def test_a_zero_that_is_off_is_found(roomy: ArmLimits) -> None:
    arm, bent = chain(7)
    limits = of(arm, box_at(np.full(3, 3.0)))
    found = collision(limits)
    seen = measured(arm, bent, 0)
    assert seen.jacobian is not None
    off = bent + np.array([0.0, 0.03, 0.0, 0.0, 0.0, 0.0, 0.0])
    rows = np.zeros((found.count, 6))
    assert found.see(off, seen.position_m, seen.jacobian, np.zeros((7, 6)), rows) == 2


def test_joints_that_contradict_the_shape_later_make_it_hold(roomy: ArmLimits) -> None:
    arm, _ = chain(7)
    rig = rig_of(roomy, 7, of(arm, box_at(np.full(3, 3.0))))
    ask = Twist(epoch=rig.state.epoch, received_ns=0, twist=np.array([0.1, 0, 0, 0, 0, 0]))
    assert rig.tick(ask).verdict.reject is Reject.NONE
    said = rig.tick(replace(ask, received_ns=PERIOD_NS), q_rad=rig.q + 0.05)
    assert said.verdict.reject is Reject.MEASUREMENT
    assert said.command.hold
    assert rig.state.mode is Mode.TAKEOVER


def creep(rig: ChainRig) -> Twist:
    way = np.array([0.02, 0.0, 0.0, 0.0, 0.0, 0.0])
    return Twist(epoch=rig.state.epoch, received_ns=rig.now_ns, twist=way)


def test_where_the_shape_contradicts_only_motion_is_refused(roomy: ArmLimits) -> None:
    """A zero that is 9 mrad off is within tolerance near the base, and not where the arm is long:
    hold, clip and workspace go on from where the arm is measured.
    """
    arm, bent = chain(7)
    long = np.array([0.0, 1.2, 0.0, -0.3, 0.0, 1.9, 0.785])
    near_m, far_m = tool(arm, bent), tool(arm, long)
    assert far_m[0] > 0.8
    off = np.array([0.0, 0.009, 0.0, 0.0, 0.0, 0.0, 0.0])
    smaller = replace(roomy.cartesian, box_max_m=near_m + 0.05)
    rig = rig_of(
        replace(roomy, cartesian=smaller), 7, of(arm, box_at(np.full(3, 3.0))), bent - 1e-9
    )
    assert rig.tick(creep(rig), q_rad=rig.q + off).verdict.reject is Reject.NONE
    rig.q = long  # a person carries it there
    for _ in range(3):
        said = rig.tick(creep(rig), q_rad=rig.q + off)
        rig.q = long
        assert said.verdict.reject is Reject.MEASUREMENT
        assert Limit.NOT_FINITE not in said.verdict.limits
        assert Limit.EXCURSION in said.verdict.limits
        assert np.abs(said.command.position_m - far_m).max() <= 0.05 + 1e-9, "the clip"
        assert rig.gate.unusable is not None
        assert "the axis of joint 3 is not where" in rig.gate.unusable
    rig.q = bent
    assert rig.tick(creep(rig), q_rad=rig.q + off).verdict.reject is Reject.NONE
    assert rig.gate.unusable is None


def test_an_arm_cannot_stand_inside_what_surrounds_it(roomy: ArmLimits) -> None:
    arm, bent = chain(7)
    with pytest.raises(LimitError, match="'link 7' and 'block' overlap by"):
        rig_of(roomy, 7, of(arm, box_at(tool(arm, bent))))
    folded = np.array([0.0, 0.0, 0.0, -3.1, 0.0, 0.0, 0.0])
    assert look(collision(of(arm, ignored=())), arm, folded).min() < -RADIUS_M
    with pytest.raises(LimitError, match="overlap"):
        rig_of(roomy, 7, of(arm, ignored=()), folded)


def test_what_to_do_about_an_overlap_is_what_can_be_done(roomy: ArmLimits) -> None:
    """Only pairs of capsules can be ignored."""
    arm, bent = chain(7)
    with pytest.raises(LimitError, match="correct the capsule or the box") as box:
        rig_of(roomy, 7, of(arm, box_at(tool(arm, bent))))
    assert "ignore" not in str(box.value)
    folded = np.array([0.0, 0.0, 0.0, -3.1, 0.0, 0.0, 0.0])
    with pytest.raises(LimitError, match="correct the capsules, or name the pair in ignored"):
        rig_of(roomy, 7, of(arm, ignored=()), folded)


def test_an_overlap_is_looked_for_at_the_first_usable_measurement(roomy: ArmLimits) -> None:
    """The gate begins before the arm has a Jacobian."""
    arm, bent = chain(7)
    far = box_at(np.full(3, 3.0))
    block = box_at(tool(arm, bent), name="rack")
    for boxes, found in (((far,), Reject.NONE), ((far, block), Reject.MEASUREMENT)):
        rig = rig_of(roomy, 7, of(arm, far))
        rig.gate._joints = begun = JointSpace.of(
            replace(roomy, joints=joint_limits(bent, room_rad=1.5), collision=of(arm, *boxes)), DT
        )
        assert begun is not None
        begun.begin(replace(measured(arm, bent, 0), q_rad=None))
        for _ in range(3):
            said = rig.tick(creep(rig)).verdict
            assert said.reject is found
            assert Limit.NOT_FINITE not in said.limits
    rig.q = bent + np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert rig.tick(creep(rig)).verdict.reject is Reject.NONE, "moved out of it by hand"
    rig.q = bent
    assert rig.tick(creep(rig)).verdict.reject is Reject.NONE, "looked for at the start only"


# --- What is accepted ---


def test_neighbours_and_ignored_pairs_are_not_kept_apart() -> None:
    arm, _ = chain(6)
    every = shape(arm, ignored=())
    count = len(every.capsules)
    assert len(every.pairs()) == (count - 1) * (count - 2) // 2
    fewer = replace(every, ignored=(("link 1", "link 6"), ("link 5", "link 2")))
    assert len(fewer.pairs()) == len(every.pairs()) - 2
    base = Capsule(name="base", link=0, from_m=(0, 0, 0), to_m=(0, 0, 0.1), radius_m=0.05)
    tip = replace(every.capsules[-1], name="tip", touches=True)
    kept = CollisionLimits(
        shape=replace(every, capsules=(base, *every.capsules, tip)),
        boxes=(box_at(np.full(3, 2.0)),),
    )
    with_block = [one for one, two in kept.pairs if two == "block"]
    assert with_block == [capsule.name for capsule in every.capsules]
    assert ("base", "tip") in kept.pairs


def test_what_is_no_shape_is_refused_with_a_sentence(roomy: ArmLimits) -> None:
    arm, bent = chain(6)
    right = shape(arm)
    first = right.capsules[0]
    for match, build in (
        ("must have one", lambda: JointAxis(direction=(0.0, 0.0, 0.0), point_m=(0, 0, 0))),
        ("every value must be finite", lambda: replace(first, to_m=(0.0, np.nan, 0.0))),
        ("greater than 0", lambda: replace(first, radius_m=0.0)),
        ("links 0 .its base. to 6", lambda: shape(arm, capsules=(replace(first, link=7),))),
        ("Two are called 'link 1'", lambda: replace(right, capsules=(first, first), ignored=())),
        ("names 'elbow'; the capsules are", lambda: replace(right, ignored=(("elbow", "link 1"),))),
        ("greater than 0", lambda: box_at(np.zeros(3), size_m=(1.0, 0.0, 1.0))),
        ("it must be 1", lambda: box_at(np.zeros(3), quaternion=(1.0, 1.0, 0.0, 0.0))),
        ("every box needs a name", lambda: of(arm, box_at(np.ones(3)), box_at(np.ones(3)))),
        (
            "a capsule and a box are called 'link 2'",
            lambda: of(arm, box_at(np.ones(3), name="link 2")),
        ),
        ("margin_m", lambda: replace(of(arm, box_at(np.ones(3))), margin_m=0.0)),
        ("form no pair", lambda: CollisionLimits(shape=replace(right, capsules=(), ignored=()))),
    ):
        with pytest.raises(LimitError, match=match):
            build()
    seven = joint_limits(chain(7)[1])
    with pytest.raises(LimitError, match="has 6 axes; the arm has 7 joints"):
        replace(roomy, joints=seven, collision=of(arm, box_at(np.ones(3))))
    bare = replace(joint_limits(bent), acceleration_rad_s2=None)
    with pytest.raises(LimitError, match="no acceleration_rad_s2"):
        replace(roomy, joints=bare, collision=of(arm, box_at(np.ones(3))))


def test_kernels_leave_what_they_do_not_own_alone() -> None:
    arm, bent = chain(7)
    q = bent.copy()
    turns, shifts = np.zeros((8, 3, 3)), np.zeros((8, 3))
    lines = np.zeros((7, 3)), np.zeros((7, 3))
    links.place(arm.axes, arm.points, q, turns, shifts, *lines)
    assert (q == bent).all()
    for turn in turns:
        assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert DT * 1e9 == PERIOD_NS
