"""Rotations against identities, scipy and finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from safety import rotation

component = st.floats(-1.8, 1.8)
vectors = st.tuples(component, component, component).map(np.array)
EDGES = [0.0, 1e-12, 1e-7, 0.99e-6, 1.01e-6, 1e-3, 1.0, 3.0, np.pi - 1e-9, np.pi]


def scipy_of(q: np.ndarray) -> Rotation:
    return Rotation.from_quat(q, scalar_first=True)


@given(vectors, vectors)
def test_agrees_with_scipy(a: np.ndarray, b: np.ndarray) -> None:
    qa, qb = rotation.exponential(a), rotation.exponential(b)
    product = scipy_of(qa) * scipy_of(qb)
    assert np.allclose(scipy_of(rotation.multiply(qa, qb)).as_matrix(), product.as_matrix())
    assert np.allclose(rotation.rotate(qa, b), scipy_of(qa).apply(b), atol=1e-12)
    assert np.allclose(scipy_of(qa).as_matrix(), Rotation.from_rotvec(a).as_matrix())


@given(vectors, vectors)
def test_minus_undoes_plus(a: np.ndarray, r: np.ndarray) -> None:
    r = r / max(1.0, np.linalg.norm(r))
    q = rotation.exponential(a)
    assert np.allclose(rotation.minus(rotation.plus(q, r), q), r, atol=1e-9)
    # Both signs of a quaternion are the same rotation.
    assert np.allclose(rotation.minus(-rotation.plus(q, r), q), r, atol=1e-9)


@pytest.mark.parametrize("angle", EDGES)
def test_logarithm_is_the_rotation_vector_not_a_sine(angle: float) -> None:
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    found = rotation.logarithm(rotation.exponential(angle * axis))
    assert np.linalg.norm(found) == pytest.approx(angle, rel=1e-9, abs=1e-15)
    assert np.allclose(np.abs(found), angle * np.abs(axis), rtol=1e-9, atol=1e-15)


def test_a_published_error_is_half_of_the_true_one() -> None:
    r = np.array([0.0, 0.0, 0.2])
    vec = rotation.exponential(r)[1:]
    assert np.allclose(rotation.minus(rotation.exponential(r), rotation.exponential(0 * r)), r)
    assert np.allclose(2.0 * vec, r, rtol=2e-3)
    assert not np.allclose(vec, r, rtol=0.4)


@given(vectors, vectors)
def test_angular_velocity_against_finite_differences(r: np.ndarray, rate: np.ndarray) -> None:
    step = 1e-6
    before = rotation.exponential(r - 0.5 * step * rate)
    after = rotation.exponential(r + 0.5 * step * rate)
    expected = rotation.minus(after, before) / step
    found = rotation.angular_velocity(r, rate)
    assert np.allclose(found, expected, atol=1e-6)
    assert np.linalg.norm(found) <= np.linalg.norm(rate) * (1.0 + 1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.9e-3, 1.1e-3])
def test_angular_velocity_is_continuous_where_the_series_begins(angle: float) -> None:
    r, rate = np.array([angle, 0.0, 0.0]), np.array([0.3, 0.5, -0.2])
    expected = rate + 0.5 * np.cross(r, rate) + np.cross(r, np.cross(r, rate)) / 6.0
    assert np.allclose(rotation.angular_velocity(r, rate), expected, atol=1e-10)


@given(vectors, vectors)
def test_slerp_has_constant_rate_and_meets_its_ends(a: np.ndarray, b: np.ndarray) -> None:
    qa, qb = rotation.exponential(a), rotation.exponential(b)
    whole = rotation.minus(qb, qa)
    for fraction in (0.0, 0.25, 1.0):
        part = rotation.minus(rotation.slerp(qa, qb, fraction), qa)
        if np.linalg.norm(whole) < 3.0:  # Half a turn has two shortest ways.
            assert np.allclose(part, fraction * whole, atol=1e-7)


def test_unit_length_is_kept_over_many_small_turns() -> None:
    q = rotation.exponential(np.array([0.3, 0.2, 0.1]))
    for _ in range(10_000):
        q = rotation.plus(q, np.array([1e-3, -2e-3, 5e-4]))
    assert np.linalg.norm(q) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # interpreted, numpy says what is invalid
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_never_looks_like_a_rotation(bad: float) -> None:
    assert not np.isfinite(rotation.exponential(np.array([bad, 0.0, 0.0]))).all()
    assert not np.isfinite(rotation.normalized(np.array([bad, 0.0, 0.0, 0.0]))).all()
    assert not np.isfinite(rotation.normalized(np.zeros(4))).any()
