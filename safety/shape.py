"""The shape of an arm and of what stands around it, as far as the gate must know it.

All coordinates are those of the base, m, with every joint at zero: so a joint is a line in space
and a link needs no frame of its own (product of exponentials; Lynch and Park, Modern Robotics,
4.1). Link 0 is the base, link k follows joint k. Joints turn; an arm with a sliding joint has no
shape.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from safety.checked import LimitError, all_positive, finite, positive

type Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAxis:
    """The line about which a joint turns, positive by the right hand: direction and a point."""

    direction: Point
    point_m: Point

    def __post_init__(self) -> None:
        if np.linalg.norm(finite("direction", self.direction, (3,))) < 1e-3:
            raise LimitError(f"direction is {self.direction}; a joint's axis must have one.")
        finite("point_m", self.point_m, (3,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """All that is within a radius of a segment, fixed to a link."""

    name: str
    link: int
    from_m: Point
    to_m: Point
    radius_m: float
    touches: bool = False
    """It is there to touch things (fingers, a tool's tip): it is not kept from boxes."""

    def __post_init__(self) -> None:
        finite(f"from_m of {self.name!r}", self.from_m, (3,))
        finite(f"to_m of {self.name!r}", self.to_m, (3,))
        positive(f"radius_m of {self.name!r}", self.radius_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmShape:
    """Joints in their order, and capsules that enclose the links and what they carry."""

    axes: tuple[JointAxis, ...]
    capsules: tuple[Capsule, ...]
    ignored: tuple[tuple[str, str], ...] = ()
    """Pairs of capsules, by name, that are not kept apart: capsules are larger than links, and
    these would meet where the links do not."""

    def __post_init__(self) -> None:
        names = [capsule.name for capsule in self.capsules]
        _once("capsule", names)
        for capsule in self.capsules:
            if not 0 <= capsule.link <= len(self.axes):
                raise LimitError(
                    f"The capsule {capsule.name!r} is on link {capsule.link}; the arm has the "
                    f"links 0 (its base) to {len(self.axes)}."
                )
        for name in (name for pair in self.ignored for name in pair):
            if name not in names:
                raise LimitError(
                    f"A pair that is ignored names {name!r}; the capsules are: {', '.join(names)}."
                )

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Capsules that are kept apart, by their places: of links that no joint connects."""
        spared = {frozenset(pair) for pair in self.ignored}
        found = [
            (i, i + 1 + j)
            for i, one in enumerate(self.capsules)
            for j, two in enumerate(self.capsules[i + 1 :])
            if abs(one.link - two.link) > 1 and frozenset((one.name, two.name)) not in spared
        ]
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Something solid in the cell: a table, a fixture; a wall is a thick, wide one."""

    name: str
    centre_m: Point
    size_m: Point
    quaternion: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """Of its edges in base axes, w x y z."""

    def __post_init__(self) -> None:
        finite(f"centre_m of {self.name!r}", self.centre_m, (3,))
        all_positive(f"size_m of {self.name!r}", self.size_m, (3,))
        length = float(
            np.linalg.norm(finite(f"quaternion of {self.name!r}", self.quaternion, (4,)))
        )
        if abs(length - 1.0) > 1e-3:
            raise LimitError(
                f"quaternion of {self.name!r} is {list(self.quaternion)}, of length {length:.3g}; "
                "it must be 1."
            )


def _once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise LimitError(f"Two are called {name!r}; every {what} needs a name of its own.")
        seen.add(name)


@dataclass(frozen=True, kw_only=True, eq=False)
class CollisionLimits:
    """An arm's shape, the boxes around it, and how near they may come, m."""

    shape: ArmShape
    boxes: tuple[Box, ...] = ()
    margin_m: float = 0.02

    def __post_init__(self) -> None:
        positive("margin_m", self.margin_m)
        names = [box.name for box in self.boxes]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise LimitError(f"Two boxes are called {twice!r}; every box needs a name of its own.")
        if shared := {capsule.name for capsule in self.shape.capsules}.intersection(names):
            raise LimitError(
                f"Both a capsule and a box are called {min(shared)!r}; give the box another name."
            )
        if not self.pairs:
            raise LimitError(
                "The capsules form no pair to keep apart: links that a joint connects, pairs that "
                "are ignored and capsules that touch things do not count; add capsules or boxes."
            )

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """What is kept apart, by name."""
        names = [each.name for each in (*self.shape.capsules, *self.boxes)]
        return tuple((names[i], names[j]) for i, j in self.indices)

    @cached_property
    def indices(self) -> tuple[tuple[int, int], ...]:
        """The same by places; boxes come after the capsules. Nothing keeps the base from a box."""
        capsules = self.shape.capsules
        of_boxes = [
            (i, len(capsules) + j)
            for i, capsule in enumerate(capsules)
            for j in range(len(self.boxes))
            if capsule.link > 0 and not capsule.touches
        ]
        return (*self.shape.pairs(), *of_boxes)
