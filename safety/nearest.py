"""The nearest motion that every joint, and every pair of things that may not touch, allows.

min |w - v|^2 with low <= rows w <= high, by Hildreth's method (1957), one row after the other, a
bounded number of times, within where its translation may lead, so that nothing after it undoes what
it counts on. Where that has not converged v is scaled towards standstill until all rows allow it.
It always ends so: low <= 0 <= high.
"""

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel
from safety.vocabulary import Limit

FloatArray = NDArray[np.float64]

SWEEPS = 30
"""Passes of Hildreth's method. Ten do nearly always."""

TOLERANCE, SETTLED = 1e-6, 1e-5
"""By how much (rad/s, m/s) a row may be missed, and by which a pass may still change one at the
end."""

TURNS = 0.04
"""How readily a motion gives way to an obstacle by turning, where by translation is 1. With 1 a
hand that is pushed at a table leans over as long as the push lasts."""

JOINT = int(Limit.JOINT)
COLLISION = int(Limit.COLLISION)
SOLVER_FALLBACK = int(Limit.SOLVER_FALLBACK)


@kernel
def dot(row: FloatArray, vector: FloatArray) -> float:
    """Of two vectors (6,); written out, it compiles faster than numpy's and runs as fast."""
    total = 0.0
    for a in range(6):
        total += row[a] * vector[a]
    return total


@kernel
def project(
    rows: FloatArray,
    low: FloatArray,
    high: FloatArray,
    joints: int,
    wanted: FloatArray,
    back: FloatArray,
    forth: FloatArray,
    sweeps: int,
) -> int:
    """Move `wanted` (6,) in place to the nearest with low <= rows wanted <= high; what acted.

    The first `joints` rows are joints, the others pairs. While a pair acts, turning counts `TURNS`.
    back, forth (3,): between these its translation stays, back <= 0 <= forth.
    """
    count = len(low)
    for a in range(3):
        wanted[a] = min(max(wanted[a], back[a]), forth[a])
    if excess(rows, low, high, 0, count, wanted) <= TOLERANCE:
        return 0
    weights, first = np.ones(6), wanted.copy()
    if excess(rows, low, high, joints, count, wanted) > TOLERANCE:
        weights[3:] = TURNS
    multipliers, settled = np.zeros(count), False
    for _ in range(4):  # pragma: no branch (each time one axis more is at its end, and stays)
        wanted[:] = first
        settled = _sweep(rows, low, high, weights, multipliers, wanted, sweeps)
        inside = True
        for a in range(3):
            if not back[a] <= wanted[a] <= forth[a]:
                first[a], weights[a] = min(max(wanted[a], back[a]), forth[a]), 0.0
                inside = False
        if inside:
            break
    flags = 0
    for j in range(count):
        if multipliers[j] != 0.0:
            flags |= JOINT if j < joints else COLLISION
    if settled:
        return flags
    share = 1.0
    for j in range(count):
        rate = dot(rows[j], wanted)
        if rate > high[j]:
            share = min(share, high[j] / rate)
        elif rate < low[j]:
            share = min(share, low[j] / rate)
    for a in range(6):
        wanted[a] *= share
    return flags | SOLVER_FALLBACK


@kernel
def _sweep(
    rows: FloatArray,
    low: FloatArray,
    high: FloatArray,
    weights: FloatArray,
    multipliers: FloatArray,
    wanted: FloatArray,
    sweeps: int,
) -> bool:
    """Hildreth's method, each axis (6,) giving way by its weight; whether it has converged."""
    count = len(low)
    multipliers[:] = 0.0
    for _ in range(sweeps):
        change = 0.0
        for j in range(count):
            row = rows[j]
            length2 = 0.0
            for a in range(6):
                length2 += row[a] * row[a] * weights[a]
            if length2 < 1e-12:
                continue
            rate = dot(row, wanted)
            above = multipliers[j] + (rate - high[j]) / length2
            below = multipliers[j] + (rate - low[j]) / length2
            pressed = above if above > 0.0 else min(below, 0.0)
            moved = pressed - multipliers[j]
            for a in range(6):
                wanted[a] -= moved * row[a] * weights[a]
            multipliers[j] = pressed
            change = max(change, abs(moved) * length2)
        if change <= SETTLED and excess(rows, low, high, 0, count, wanted) <= TOLERANCE:
            return True
    return excess(rows, low, high, 0, count, wanted) <= TOLERANCE


@kernel
def excess(
    rows: FloatArray, low: FloatArray, high: FloatArray, begin: int, end: int, wanted: FloatArray
) -> float:
    """By how much the worst of these rows is missed, rad/s or m/s; 0 or less when none is."""
    worst = 0.0
    for j in range(begin, end):
        rate = dot(rows[j], wanted)
        worst = max(worst, max(rate - high[j], low[j] - rate))
    return worst
