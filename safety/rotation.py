"""Rotations at control rate: unit quaternions (w, x, y, z) and true rotation vectors (radians).

All vectors are in the base frame: `plus(q, r)` rotates q by r about base axes and
`minus(a, b)` is the r with plus(b, r) = a. The error is the rotation vector itself, never
vec(q) = sin(angle / 2), which would halve the rotational stiffness.
"""

import math

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel

FloatArray = NDArray[np.float64]
_SMALL_RAD = 1e-6
"""Below this angle the series is exact to double precision."""


@kernel
def multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """Hamilton product a b, (4,)."""
    out = np.empty(4)
    out[0] = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]
    out[1] = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2]
    out[2] = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1]
    out[3] = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0]
    return out


@kernel
def inverse(q: FloatArray) -> FloatArray:
    """Inverse of a unit quaternion, (4,)."""
    return np.array([q[0], -q[1], -q[2], -q[3]])


@kernel
def normalized(q: FloatArray) -> FloatArray:
    """q at unit length; NaN for a zero quaternion, which every boundary refuses."""
    return q / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@kernel
def exponential(r: FloatArray) -> FloatArray:
    """Unit quaternion (4,) of a rotation vector (3,)."""
    angle = math.sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2])
    scale = 0.5 if angle < _SMALL_RAD else np.sin(0.5 * angle) / angle
    return np.array([np.cos(0.5 * angle), scale * r[0], scale * r[1], scale * r[2]])


@kernel
def logarithm(q: FloatArray) -> FloatArray:
    """Rotation vector (3,) of a unit quaternion (4,), of the shorter way round, angle <= pi."""
    sign = -1.0 if q[0] < 0.0 else 1.0
    sine = math.sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    scale = 2.0 if sine < _SMALL_RAD else 2.0 * math.atan2(sine, sign * q[0]) / sine
    return np.array([sign * scale * q[1], sign * scale * q[2], sign * scale * q[3]])


@kernel
def plus(q: FloatArray, r: FloatArray) -> FloatArray:
    """q rotated by the base-frame rotation vector r, at unit length."""
    return normalized(multiply(exponential(r), q))


@kernel
def minus(a: FloatArray, b: FloatArray) -> FloatArray:
    """Base-frame rotation vector that takes b to a."""
    return logarithm(multiply(a, inverse(b)))


@kernel
def rotate(q: FloatArray, v: FloatArray) -> FloatArray:
    """Vector v (3,) rotated by q."""
    tx = 2.0 * (q[2] * v[2] - q[3] * v[1])
    ty = 2.0 * (q[3] * v[0] - q[1] * v[2])
    tz = 2.0 * (q[1] * v[1] - q[2] * v[0])
    out = np.empty(3)
    out[0] = v[0] + q[0] * tx + q[2] * tz - q[3] * ty
    out[1] = v[1] + q[0] * ty + q[3] * tx - q[1] * tz
    out[2] = v[2] + q[0] * tz + q[1] * ty - q[2] * tx
    return out


@kernel
def slerp(a: FloatArray, b: FloatArray, fraction: float) -> FloatArray:
    """Orientation at a fraction of the shorter way from a to b."""
    return plus(a, fraction * minus(b, a))


@kernel
def angular_velocity(r: FloatArray, rate: FloatArray) -> FloatArray:
    """Base-frame angular velocity of exp(r) when r changes at `rate`: the left Jacobian times it.

    Its norm never exceeds that of `rate` (singular values sin(x/2)/(x/2) <= 1).
    """
    angle2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    if angle2 < _SMALL_RAD:
        first, second = 0.5 - angle2 / 24.0, 1.0 / 6.0 - angle2 / 120.0
    else:
        angle = math.sqrt(angle2)
        first = (1.0 - math.cos(angle)) / angle2
        second = (angle - math.sin(angle)) / (angle2 * angle)
    cross = np.empty(3)
    cross[0] = r[1] * rate[2] - r[2] * rate[1]
    cross[1] = r[2] * rate[0] - r[0] * rate[2]
    cross[2] = r[0] * rate[1] - r[1] * rate[0]
    twice = np.empty(3)
    twice[0] = r[1] * cross[2] - r[2] * cross[1]
    twice[1] = r[2] * cross[0] - r[0] * cross[2]
    twice[2] = r[0] * cross[1] - r[1] * cross[0]
    return rate + first * cross + second * twice
