"""Semantic limit profiles ("fragile", "hot", "person near"): what they tighten, and what selects
them.

A profile states only what it tightens. Whatever it says, `apply` takes the stricter of each value,
so that no profile and no set of profiles can loosen a limit.

The words of an instruction select by plain rules: a word is a run of letters and digits, the case
does not matter, nothing is guessed. "Not fragile" selects what "fragile" does: a profile too many
only makes the robot slower.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from safety.limits import CartesianLimits, FloatArray

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitProfile:
    """Fields as in `CartesianLimits`; None: as it was. `margin_m` is no limit of the reference."""

    box_min_m: FloatArray | None = None
    box_max_m: FloatArray | None = None
    speed_m_s: float | None = None
    acceleration_m_s2: float | None = None
    jerk_m_s3: float | None = None
    angular_speed_rad_s: float | None = None
    angular_acceleration_rad_s2: float | None = None
    angular_jerk_rad_s3: float | None = None
    clip_m: FloatArray | None = None
    clip_rad: FloatArray | None = None

    def apply(self, limits: CartesianLimits) -> CartesianLimits:
        """The stricter of both, value by value. Raises LimitError when no workspace is left."""
        mine = {each.name: getattr(self, each.name) for each in fields(self)}
        given = {name: value for name, value in mine.items() if value is not None}
        return limits.tightened(replace(limits, **given)) if given else limits


def apply_all(limits: CartesianLimits, profiles: Iterable[LimitProfile]) -> CartesianLimits:
    """The strictest value of each. Raises LimitError when no workspace is left."""
    for profile in profiles:
        limits = profile.apply(limits)
    return limits


def words_of(text: str) -> frozenset[str]:
    """The words of an instruction, in the form in which they are compared."""
    return frozenset(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
