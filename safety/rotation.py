"""Rotations at control rate: unit quaternions (w, x, y, z) and true rotation vectors (radians).

All vectors are in the base frame: `plus(q, r)` rotates q by r about base axes and
`minus(a, b)` is the r with plus(b, r) = a. The error is the rotation vector itself, never
vec(q) = sin(angle / 2), which would halve the rotational stiffness.

Functions that end in `_into` write their result where they are told and allocate nothing, for loops
that must not; the others are the same arithmetic with an array of its own.
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
def normalized(q: FloatArray) -> FloatArray:
    """q at unit length; NaN for a zero quaternion, which every boundary refuses."""
    return q / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@kernel
def _exponential_into(x: float, y: float, z: float, out: FloatArray) -> None:
    angle = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 if angle < _SMALL_RAD else np.sin(0.5 * angle) / angle
    out[0], out[1], out[2], out[3] = np.cos(0.5 * angle), scale * x, scale * y, scale * z


@kernel
def exponential(r: FloatArray) -> FloatArray:
    """Unit quaternion (4,) of a rotation vector (3,)."""
    out = np.empty(4)
    _exponential_into(r[0], r[1], r[2], out)
    return out


@kernel
def _logarithm_into(w: float, x: float, y: float, z: float, out: FloatArray) -> None:
    sign = -1.0 if w < 0.0 else 1.0
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 if sine < _SMALL_RAD else 2.0 * math.atan2(sine, sign * w) / sine
    out[0], out[1], out[2] = sign * scale * x, sign * scale * y, sign * scale * z


@kernel
def logarithm(q: FloatArray) -> FloatArray:
    """Rotation vector (3,) of a unit quaternion (4,), of the shorter way round, angle <= pi."""
    out = np.empty(3)
    _logarithm_into(q[0], q[1], q[2], q[3], out)
    return out


@kernel
def plus_into(q: FloatArray, r: FloatArray, out: FloatArray) -> None:
    """`plus` into `out` (4,), which may hold r but not q."""
    _exponential_into(r[0], r[1], r[2], out)
    a, b, c, d = out[0], out[1], out[2], out[3]
    w = a * q[0] - b * q[1] - c * q[2] - d * q[3]
    x = a * q[1] + b * q[0] + c * q[3] - d * q[2]
    y = a * q[2] - b * q[3] + c * q[0] + d * q[1]
    z = a * q[3] + b * q[2] - c * q[1] + d * q[0]
    length = math.sqrt(w * w + x * x + y * y + z * z)
    out[0], out[1], out[2], out[3] = w / length, x / length, y / length, z / length


@kernel
def plus(q: FloatArray, r: FloatArray) -> FloatArray:
    """q rotated by the base-frame rotation vector r, at unit length."""
    out = np.empty(4)
    plus_into(q, r, out)
    return out


@kernel
def minus_into(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """`minus` into `out` (3,)."""
    _logarithm_into(
        a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3],
        -a[0] * b[1] + a[1] * b[0] - a[2] * b[3] + a[3] * b[2],
        -a[0] * b[2] + a[1] * b[3] + a[2] * b[0] - a[3] * b[1],
        -a[0] * b[3] - a[1] * b[2] + a[2] * b[1] + a[3] * b[0],
        out,
    )


@kernel
def minus(a: FloatArray, b: FloatArray) -> FloatArray:
    """Base-frame rotation vector that takes b to a."""
    out = np.empty(3)
    minus_into(a, b, out)
    return out


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
def slerp_into(a: FloatArray, b: FloatArray, fraction: float, out: FloatArray) -> None:
    """`slerp` into `out` (4,), which is neither a nor b."""
    minus_into(b, a, out)
    for i in range(3):
        out[i] = fraction * out[i]
    plus_into(a, out, out)


@kernel
def slerp(a: FloatArray, b: FloatArray, fraction: float) -> FloatArray:
    """Orientation at a fraction of the shorter way from a to b."""
    out = np.empty(4)
    slerp_into(a, b, fraction, out)
    return out


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
