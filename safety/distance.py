"""How far a segment is from a segment and from a box, and between which points.

Written here and not taken from a library (coal, fcl): those take two shapes at a time through
Python, too slow for 30 pairs in a tick, and iterate (GJK); these are closed forms that always end
and give the same bits for the same input. Sources: segment and segment, Ericson, Real-Time
Collision Detection (2005), section 5.1.9; a segment's part inside a box, the same, 5.3.3.

The distance of a segment to a box is the least of f(t) = |x(t) - nearest point of the box|^2, which
is convex, with a slope that rises piecewise linearly and bends where x(t) crosses a face's plane:
at most 6 times. The bends are searched for the change of sign; between two the zero is exact.

Each function writes the point on the first (3,), the point on the second (3,) and the unit normal
(3,) from first to second, in the axes of its arguments. Where two segments cross the normal is
perpendicular to both, and zero where that is undefined.
"""

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel

FloatArray = NDArray[np.float64]

POINT_M2 = 1e-18
"""A segment whose length squared is less is a point."""

TOUCHING_M = 1e-9
"""Nearer than this, the line between the points has no direction."""


@kernel
def segment_segment(
    first: FloatArray,
    second: FloatArray,
    on_first: FloatArray,
    on_second: FloatArray,
    normal: FloatArray,
) -> float:
    """Distance of two segments, each its two ends (2, 3), m; 0 where they cross."""
    a = e = b = c = f = 0.0
    for i in range(3):
        d1, d2 = first[1, i] - first[0, i], second[1, i] - second[0, i]
        r = first[0, i] - second[0, i]
        a, e, b = a + d1 * d1, e + d2 * d2, b + d1 * d2
        c, f = c + d1 * r, f + d2 * r
    s = t = 0.0
    if a <= POINT_M2 and e > POINT_M2:
        t = min(max(f / e, 0.0), 1.0)
    elif a > POINT_M2 and e <= POINT_M2:
        s = min(max(-c / a, 0.0), 1.0)
    elif a > POINT_M2:
        slant = a * e - b * b  # 0 where they are parallel: then any s will do
        if slant > 1e-12 * a * e:
            s = min(max((b * f - c * e) / slant, 0.0), 1.0)
        t = (b * s + f) / e
        if t < 0.0:
            t, s = 0.0, min(max(-c / a, 0.0), 1.0)
        elif t > 1.0:
            t, s = 1.0, min(max((b - c) / a, 0.0), 1.0)
    away2 = 0.0
    for i in range(3):
        on_first[i] = first[0, i] + s * (first[1, i] - first[0, i])
        on_second[i] = second[0, i] + t * (second[1, i] - second[0, i])
        normal[i] = on_second[i] - on_first[i]
        away2 += normal[i] * normal[i]
    away = np.sqrt(away2)
    if away > TOUCHING_M:
        for i in range(3):
            normal[i] /= away
    else:
        _across(first, second, normal)
    return away


@kernel
def _across(first: FloatArray, second: FloatArray, normal: FloatArray) -> None:
    """Write the unit vector across both segments, zero where they are parallel."""
    length2 = 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        normal[i] = (first[1, j] - first[0, j]) * (second[1, k] - second[0, k]) - (
            first[1, k] - first[0, k]
        ) * (second[1, j] - second[0, j])
        length2 += normal[i] * normal[i]
    scale = 1.0 / np.sqrt(length2) if length2 > POINT_M2 else 0.0
    for i in range(3):
        normal[i] *= scale


@kernel
def segment_box(
    segment: FloatArray,
    centre: FloatArray,
    turn: FloatArray,
    half: FloatArray,
    on_segment: FloatArray,
    on_box: FloatArray,
    normal: FloatArray,
    local: FloatArray,
) -> float:
    """Distance of a segment (2, 3) to a solid box: centre (3,), axes as columns (3, 3), half sizes
    (3,). Inside, minus the depth of the middle of the part within below the nearest face.

    `local` (2, 3) is scratch.
    """
    for i in range(3):
        for end in range(2):
            local[end, i] = 0.0
            for k in range(3):
                local[end, i] += turn[k, i] * (segment[end, k] - centre[k])
    t = _nearest(local, half)
    away2 = 0.0
    for i in range(3):
        x = local[0, i] + t * (local[1, i] - local[0, i])
        away2 += (x - min(max(x, -half[i]), half[i])) ** 2
    away = np.sqrt(away2)
    face, side = -1, 0.0
    if away <= TOUCHING_M:
        t = _middle(local, half)
        away, face, side = _depth(local, half, t)
    for k in range(3):
        on_segment[k] = segment[0, k] + t * (segment[1, k] - segment[0, k])
        normal[k] = 0.0
    for i in range(3):
        if face < 0:
            x = local[0, i] + t * (local[1, i] - local[0, i])
            step = (min(max(x, -half[i]), half[i]) - x) / away
        else:
            step = -side if face == i else 0.0
        for k in range(3):
            normal[k] += turn[k, i] * step
    for k in range(3):
        on_box[k] = on_segment[k] + away * normal[k]
    return away


@kernel
def _slope(local: FloatArray, half: FloatArray, t: float) -> float:
    """Half the derivative of the distance squared, by t, at t."""
    total = 0.0
    for i in range(3):
        d = local[1, i] - local[0, i]
        x = local[0, i] + t * d
        total += d * (x - min(max(x, -half[i]), half[i]))
    return total


@kernel
def _nearest(local: FloatArray, half: FloatArray) -> float:
    """Where on the segment, 0 to 1, it is nearest to the box."""
    low, high = 0.0, 1.0
    at_low, at_high = _slope(local, half, 0.0), _slope(local, half, 1.0)
    if at_low >= 0.0:
        return 0.0
    if at_high <= 0.0:
        return 1.0
    for i in range(3):
        d = local[1, i] - local[0, i]
        if d == 0.0:
            continue
        for side in (-1.0, 1.0):
            t = (side * half[i] - local[0, i]) / d
            if low < t < high:
                slope = _slope(local, half, t)
                if slope < 0.0:
                    low, at_low = t, slope
                else:
                    high, at_high = t, slope
    return low - (high - low) * at_low / (at_high - at_low)


@kernel
def _middle(local: FloatArray, half: FloatArray) -> float:
    """The middle of the segment's part inside the box."""
    enters, leaves = 0.0, 1.0
    for i in range(3):
        d = local[1, i] - local[0, i]
        if abs(d) > TOUCHING_M:
            one, two = (-half[i] - local[0, i]) / d, (half[i] - local[0, i]) / d
            enters, leaves = max(enters, min(one, two)), min(leaves, max(one, two))
    return 0.5 * (enters + leaves)


@kernel
def _depth(local: FloatArray, half: FloatArray, t: float) -> tuple[float, int, float]:
    """Minus the depth below the nearest face, its axis, and on which side it is."""
    away, face, side = -np.inf, 0, 1.0
    for i in range(3):
        x = local[0, i] + t * (local[1, i] - local[0, i])
        if abs(x) - half[i] > away:
            away, face, side = abs(x) - half[i], i, -1.0 if x < 0.0 else 1.0
    return away, face, side
