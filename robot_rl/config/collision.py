"""What an arm must not come near, in a cell file: boxes of the cell, and what the arm carries."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from robot_rl.config.section import Positive, PositiveTriple, Section, Triple
from safety.shape import ArmShape, Box, Capsule, CollisionLimits, Point

type Name = Annotated[str, Field(min_length=1, max_length=40)]
type Quaternion = Annotated[tuple[float, ...], Field(min_length=4, max_length=4)]

MARGIN_M = 0.02
MARGIN_AT_MOST_M = 0.2


class BoxSection(Section):
    """`[[collision.boxes]]`: something solid in base axes."""

    name: Name
    centre_m: Triple
    size_m: PositiveTriple
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)


class CapsuleSection(Section):
    """`[[collision.capsules]]`: a part of the arm beside those that its driver describes. In base
    axes, with every joint at zero.
    """

    name: Name
    link: Annotated[int, Field(ge=0)]
    from_m: Triple
    to_m: Triple
    radius_m: Positive
    touches: bool = False


class CollisionSection(Section):
    """`[collision]`. Without it an arm with a shape is kept from itself alone."""

    margin_m: Annotated[float, Field(gt=0, le=MARGIN_AT_MOST_M)] = MARGIN_M
    boxes: tuple[BoxSection, ...] = ()
    capsules: tuple[CapsuleSection, ...] = ()
    ignored: tuple[tuple[Name, Name], ...] = ()

    def limits(self, shape: ArmShape | None) -> CollisionLimits | None:
        """With the shape that the driver describes. Raises LimitError (a ValueError)."""
        if shape is None:
            if self.model_fields_set:  # a margin too, which would keep nothing from anything
                raise ValueError(
                    "collision: the driver describes no shape of its arm, by which the arm's links "
                    "could be kept from anything; take the section out, or give the driver a shape"
                )
            return None
        carried = tuple(
            Capsule(
                name=each.name,
                link=each.link,
                from_m=_point(each.from_m),
                to_m=_point(each.to_m),
                radius_m=each.radius_m,
                touches=each.touches,
            )
            for each in self.capsules
        )
        whole = replace(
            shape,
            capsules=(*shape.capsules, *carried),
            ignored=(*shape.ignored, *self.ignored),
        )
        return CollisionLimits(
            shape=whole, boxes=tuple(map(_box, self.boxes)), margin_m=self.margin_m
        )


def _box(given: BoxSection) -> Box:
    w, x, y, z = given.quaternion
    return Box(
        name=given.name,
        centre_m=_point(given.centre_m),
        size_m=_point(given.size_m),
        quaternion=(w, x, y, z),
    )


def _point(values: tuple[float, ...]) -> Point:
    x, y, z = values
    return x, y, z
