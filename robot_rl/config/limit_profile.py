"""`[limits.profiles.NAME]` of a cell: limits for a thing or a situation, which can only tighten."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol, cast

from pydantic import Field

from robot_rl.config.section import Positive, PositiveTriple, Section, Triple
from safety.profile import words_of

type ProfileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=31)]

PROFILES_AT_MOST = 8
"""Each is a button in the console."""


class ProfileSection(Section):
    """What it does not give stays as the cell and the task say; keys as in `[limits]`."""

    text: Annotated[str, Field(max_length=60)] = ""  # on its button; empty: its name
    words: tuple[str, ...] = ()  # of an instruction, any of which selects it
    workspace_min_m: Triple | None = None
    workspace_max_m: Triple | None = None
    speed_m_s: Positive | None = None
    acceleration_m_s2: Positive | None = None
    jerk_m_s3: Positive | None = None
    rotation_speed_rad_s: Positive | None = None
    rotation_acceleration_rad_s2: Positive | None = None
    rotation_jerk_rad_s3: Positive | None = None
    clip_negative_m: PositiveTriple | None = None
    clip_positive_m: PositiveTriple | None = None
    clip_rad: PositiveTriple | None = None


LIMITS = tuple(name for name in ProfileSection.model_fields if name not in ("text", "words"))
"""The keys that are limits."""


class ChosenBy(StrEnum):
    """What made a profile active. Only what a button switched on can a button switch off."""

    TASK = "task"
    INSTRUCTION = "instruction"
    BUTTON = "button"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredProfile:
    """A profile of a cell, whatever it does to each arm."""

    name: str
    text: str
    words: frozenset[str]  # as safety.profile.words_of gives them


def declared(of_arms: Iterable[Mapping[str, ProfileSection]]) -> tuple[DeclaredProfile, ...]:
    """The profiles of a cell, whose arms all have the same ones. Words of any arm's section count;
    the text is the first one given.
    """
    arms = tuple(of_arms)
    found: list[DeclaredProfile] = []
    for name in arms[0]:
        sections = [arm[name] for arm in arms]
        text = next((each.text for each in sections if each.text), name.replace("_", " "))
        words = frozenset(w for each in sections for word in each.words for w in words_of(word))
        found.append(DeclaredProfile(name=name, text=text, words=words))
    return tuple(found)


def chosen(
    profiles: Iterable[DeclaredProfile], named: Iterable[str], instruction: str
) -> dict[str, ChosenBy]:
    """Which profiles a task makes active: those it names, and those of words of its instruction."""
    said, by_task = words_of(instruction), frozenset(named)
    found: dict[str, ChosenBy] = {}
    for profile in profiles:
        if profile.name in by_task:
            found[profile.name] = ChosenBy.TASK
        elif profile.words & said:
            found[profile.name] = ChosenBy.INSTRUCTION
    return found


class CellLimits(Protocol):
    """What profiles tighten (robot_rl.config.cell_arm.Limits)."""

    @property
    def workspace_min_m(self) -> tuple[float, ...]: ...
    @property
    def workspace_max_m(self) -> tuple[float, ...]: ...


def check_profiles(profiles: Mapping[str, ProfileSection], bounds: CellLimits) -> None:
    """Raises ValueError with one sentence: the key, the value, and what is allowed."""
    if len(profiles) > PROFILES_AT_MOST:
        raise ValueError(
            f"profiles has {len(profiles)} of them; at most {PROFILES_AT_MOST} are allowed"
        )
    for name, profile in profiles.items():
        _check_words(name, profile)
        given = [key for key in LIMITS if getattr(profile, key) is not None]
        if not given:
            raise ValueError(
                f"profiles.{name} gives no limit, so that it changes nothing: give one of "
                f"{', '.join(LIMITS)}, or take it out"
            )
        for key in given:
            _check_tightens(f"profiles.{name}.{key}", key, profile, bounds)
    _check_room(profiles, bounds)


def _check_tightens(called: str, key: str, profile: ProfileSection, bounds: CellLimits) -> None:
    value, most = _values(profile, key), _values(bounds, key)
    if key != "workspace_min_m":
        low, high, allowed = value, most, f"at most {_said(most)}"
    else:
        low, high, allowed = most, value, f"at least {_said(most)}"
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise ValueError(
            f"{called} is {_said(value)}; {allowed} is allowed, as the cell's limits say: a "
            "profile can only tighten"
        )
    if value == most:
        raise ValueError(
            f"{called} is {_said(value)}, as the cell's limits say already, so that it changes "
            "nothing: give a tighter value, or take it out"
        )


def tightens(profile: ProfileSection, key: str, *than: object) -> bool:
    """Whether what a profile gives for `key` is tighter anywhere than the first of the sections
    `than` that gives one.
    """
    given = [each for each in than if getattr(each, key, None) is not None]
    if getattr(profile, key) is None or not given:
        return False
    value, most = _values(profile, key), _values(given[0], key)
    pairs = zip(value, most, strict=True)
    return any(b < a if key == "workspace_min_m" else a < b for a, b in pairs)


def _values(section: object, key: str) -> tuple[float, ...]:
    value = cast(float | tuple[float, ...], getattr(section, key))
    return value if isinstance(value, tuple) else (value,)


def _check_words(name: str, profile: ProfileSection) -> None:
    for word in profile.words:
        if len(words_of(word)) != 1 or any(not letter.isalnum() for letter in word):
            raise ValueError(
                f"profiles.{name}.words has {word!r}, which is not one word: words are of letters "
                "and digits only, and a profile may have several"
            )


def _check_room(profiles: Mapping[str, ProfileSection], bounds: CellLimits) -> None:
    """Whatever set of them is active, some workspace is left."""
    lows = [bounds.workspace_min_m, *(p.workspace_min_m for p in profiles.values())]
    highs = [bounds.workspace_max_m, *(p.workspace_max_m for p in profiles.values())]
    for axis, name in enumerate("xyz"):
        low = max(each[axis] for each in lows if each is not None)
        high = min(each[axis] for each in highs if each is not None)
        if low >= high:
            raise ValueError(
                f"the workspaces of profiles ({', '.join(profiles)}) leave no room on {name} when "
                f"all are active: {low:g} to {high:g} m; make one of them larger"
            )


def _said(values: tuple[float, ...]) -> str:
    """1.0 as 1, several in brackets."""
    shown = ", ".join(f"{each:g}" for each in values)
    return shown if len(values) == 1 else f"[{shown}]"
