"""Where the joints and links of an arm are, and whether the arm itself agrees.

Product of exponentials (Lynch and Park, Modern Robotics, 4.1): with every joint at zero a joint is
a line, direction w and point p in base axes. At q everything behind joint 1 is turned about line 1
by q_1, everything behind joint 2 then about line 2 as it was carried along, and so on.

A driver measures the Jacobian of the tool centre point x: column k is [w_k x (x - p_k); w_k], so
each measurement says where the lines really are, and a shape of another arm, or of this one with a
wrong zero, is found at the first.
"""

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel

FloatArray = NDArray[np.float64]

OFF_RAD, OFF_M = 0.02, 0.005
"""By how much the direction and the distance of a joint's axis may differ from what is measured:
above what a calibration corrects, below what a wrong number in a shape makes."""


@kernel
def place(
    axes: FloatArray,
    points: FloatArray,
    q: FloatArray,
    turns: FloatArray,
    shifts: FloatArray,
    axes_now: FloatArray,
    points_now: FloatArray,
) -> None:
    """Write the motion of every link from zero to q (n,): x -> turn x + shift, turns (n + 1, 3, 3)
    and shifts (n + 1, 3), and the joints' lines as they are now (n, 3) and (n, 3).
    """
    for a in range(3):
        shifts[0, a] = 0.0
        for b in range(3):
            turns[0, a, b] = 1.0 if a == b else 0.0
    for k in range(len(q)):
        for a in range(3):
            axis, point = 0.0, shifts[k, a]
            for b in range(3):
                axis += turns[k, a, b] * axes[k, b]
                point += turns[k, a, b] * points[k, b]
            axes_now[k, a], points_now[k, a] = axis, point
        s, c = np.sin(q[k]), np.cos(q[k])
        for b in range(3):  # Rodrigues: column b of the link before, turned about the line
            along = 0.0
            for a in range(3):
                along += axes_now[k, a] * turns[k, a, b]
            for a in range(3):
                i, j = (a + 1) % 3, (a + 2) % 3
                across = axes_now[k, i] * turns[k, j, b] - axes_now[k, j] * turns[k, i, b]
                turns[k + 1, a, b] = (
                    c * turns[k, a, b] + s * across + (1.0 - c) * along * axes_now[k, a]
                )
        for a in range(3):
            shifts[k + 1, a] = points_now[k, a]
            for b in range(3):
                shifts[k + 1, a] -= turns[k + 1, a, b] * points[k, b]


@kernel
def carry(turn: FloatArray, shift: FloatArray, points: FloatArray, moved: FloatArray) -> None:
    """Write where points (m, 3) of a link are now."""
    for i in range(len(points)):
        for a in range(3):
            moved[i, a] = shift[a]
            for b in range(3):
                moved[i, a] += turn[a, b] * points[i, b]


@kernel
def speed_of(
    axes_now: FloatArray, points_now: FloatArray, k: int, at: FloatArray, n: FloatArray
) -> float:
    """How fast a point (3,) moves along n (3,) per rad/s of joint k: n . (w_k x (at - p_k))."""
    total = 0.0
    for a in range(3):
        i, j = (a + 1) % 3, (a + 2) % 3
        total += n[a] * (
            axes_now[k, i] * (at[j] - points_now[k, j])
            - axes_now[k, j] * (at[i] - points_now[k, i])
        )
    return total


@kernel
def jacobian(
    axes_now: FloatArray, points_now: FloatArray, at: FloatArray, found: FloatArray
) -> None:
    """Write the Jacobian (6, n) of a point (3,) of the last link."""
    for k in range(len(axes_now)):
        for a in range(3):
            i, j = (a + 1) % 3, (a + 2) % 3
            found[a, k] = axes_now[k, i] * (at[j] - points_now[k, j]) - axes_now[k, j] * (
                at[i] - points_now[k, i]
            )
            found[3 + a, k] = axes_now[k, a]


@kernel
def disagreeing(
    axes_now: FloatArray, points_now: FloatArray, at: FloatArray, measured: FloatArray
) -> int:
    """The first joint whose line is not where the Jacobian (6, n) measured of the TCP (3,) has it;
    -1 when all agree.
    """
    for k in range(len(axes_now)):
        turned2 = away2 = 0.0
        for a in range(3):
            i, j = (a + 1) % 3, (a + 2) % 3
            lever = axes_now[k, i] * (at[j] - points_now[k, j]) - axes_now[k, j] * (
                at[i] - points_now[k, i]
            )
            turned2 += (measured[3 + a, k] - axes_now[k, a]) ** 2
            away2 += (measured[a, k] - lever) ** 2
        if not (turned2 <= OFF_RAD * OFF_RAD and away2 <= OFF_M * OFF_M):
            return k
    return -1
