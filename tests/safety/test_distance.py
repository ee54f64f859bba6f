"""Distances of segments and boxes, against sampling; and what they say of direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety import rotation
from safety.distance import segment_box, segment_segment

GRID = np.linspace(0.0, 1.0, 81)
seeds = st.integers(0, 2**32 - 1)


def segment(rng: np.random.Generator) -> np.ndarray:
    """(2, 3) m: of all lengths and directions, points and parallels to the axes among them."""
    ends = rng.uniform(-0.5, 0.5, (2, 3)) * rng.choice([1.0, 1.0, 0.1])
    kind = rng.integers(5)
    if kind == 0:
        ends[1] = ends[0]
    elif kind == 1:
        axis = rng.integers(3)
        ends[1] = ends[0]
        ends[1, axis] += rng.uniform(-0.5, 0.5)
    return ends


def box(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    quaternion = rotation.normalized(rng.normal(size=4))
    turn = np.stack([rotation.rotate(quaternion, edge) for edge in np.eye(3)], axis=1)
    return rng.uniform(-0.4, 0.4, 3), turn, rng.uniform(0.01, 0.3, 3)


def between(one: np.ndarray, two: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    x, y, n = np.zeros(3), np.zeros(3), np.zeros(3)
    return segment_segment(one, two, x, y, n), x, y, n


def to_box(
    ends: np.ndarray, solid: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    x, y, n = np.zeros(3), np.zeros(3), np.zeros(3)
    return segment_box(ends, *solid, x, y, n, np.zeros((2, 3))), x, y, n


def along(ends: np.ndarray) -> np.ndarray:
    return ends[0] + GRID[:, None] * (ends[1] - ends[0])


def on_segment(point: np.ndarray, ends: np.ndarray) -> float:
    """How far a point is from a segment."""
    way = ends[1] - ends[0]
    share = np.clip((point - ends[0]) @ way / max(way @ way, 1e-18), 0.0, 1.0)
    return float(np.linalg.norm(point - ends[0] - share * way))


def outside(points: np.ndarray, solid: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Distance of points to a solid box."""
    centre, turn, half = solid
    local = np.abs((points - centre) @ turn) - half
    return np.linalg.norm(np.maximum(local, 0.0), axis=-1)


@given(seeds)
@settings(max_examples=150, deadline=None)
def test_two_segments_are_as_far_as_their_nearest_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = segment(rng), segment(rng)
    if rng.integers(4) == 0:
        two = one + rng.uniform(-0.2, 0.2, 3)  # parallel
    away, x, y, n = between(one, two)
    sampled = np.linalg.norm(along(one)[:, None] - along(two)[None], axis=2).min()
    step = max(np.linalg.norm(one[1] - one[0]), np.linalg.norm(two[1] - two[0])) / 80 + 1e-9
    assert sampled - step <= away <= sampled + 1e-9
    assert on_segment(x, one) < 1e-9
    assert on_segment(y, two) < 1e-9
    assert np.linalg.norm(y - x) == pytest.approx(away, abs=1e-9)
    assert n * away == pytest.approx(y - x, abs=1e-9)


@given(seeds)
@settings(max_examples=150, deadline=None)
def test_a_segment_is_as_far_from_a_box_as_its_nearest_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ends, solid = segment(rng), box(rng)
    away, x, y, n = to_box(ends, solid)
    sampled = outside(along(ends), solid).min()
    step = np.linalg.norm(ends[1] - ends[0]) / 80 + 1e-9
    assert max(sampled - step, 0.0) <= max(away, 0.0) <= sampled + 1e-9
    assert on_segment(x, ends) < 1e-9
    assert np.linalg.norm(n) == pytest.approx(1.0)
    assert x + away * n == pytest.approx(y, abs=1e-9)
    if away > 0.0:
        assert outside(y, solid) < 1e-9
    else:
        centre, turn, half = solid
        depth = (half - np.abs(turn.T @ (x - centre))).min()
        assert -away == pytest.approx(depth, abs=1e-6), "below the nearest face"
        assert np.abs(np.abs(turn.T @ (y - centre)) - half).min() < 1e-6, "y lies on it"


@given(seeds)
@settings(max_examples=100, deadline=None)
def test_the_normal_says_how_the_distance_changes(seed: int) -> None:
    """By finite differences: moved apart along the normal, nearer by as much against it."""
    rng = np.random.default_rng(seed)
    one, two, solid = segment(rng), segment(rng), box(rng)
    for away, n, moved in (
        (*between(one, two)[::3], lambda by: between(one, two + by)[0]),
        (*to_box(one, solid)[::3], lambda by: to_box(one - by, solid)[0]),
    ):
        if away > 1e-3:
            assert moved(1e-6 * n) - away == pytest.approx(1e-6, abs=1e-8)
            assert away - moved(-1e-6 * n) == pytest.approx(1e-6, abs=1e-8)


def test_crossing_segments_are_parted_across_both() -> None:
    one = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    two = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])
    away, _, _, n = between(one, two)
    assert away == 0.0
    assert np.abs(n) == pytest.approx([0.0, 0.0, 1.0])
    away, _, _, n = between(one, one.copy())
    assert away == 0.0
    assert (n == 0.0).all(), "and where they lie upon one another no direction is known"


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_segment_inside_a_box_is_led_out_by_the_nearest_face(side: float) -> None:
    solid = np.zeros(3), np.eye(3), np.array([0.5, 0.5, 0.1])
    inside = np.array([[-0.2, 0.0, 0.06 * side], [0.2, 0.0, 0.06 * side]])
    away, _, y, n = to_box(inside, solid)
    assert away == pytest.approx(-0.04)
    assert n == pytest.approx([0.0, 0.0, -side])
    assert y[2] == pytest.approx(0.1 * side)
