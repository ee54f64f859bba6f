"""What of a foreign dataset becomes which of our cameras, state values and action columns."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.interchange.lerobot_layout import ACTION, PICTURES, STATE
from robot_rl.schema.step import prefix, state_names

_SHOWN = 6  # names in a sentence


class BadMapping(BadInput):
    """The dataset does not fit the task: one plain sentence with what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOf:
    """One value of a vector in the dataset."""

    feature: str
    index: int


type Value = ColumnOf | float
"""Where a value comes from, or the constant that stands in for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """cameras: ours → the dataset's feature; arms: name → joints and names of sensors."""

    cameras: Mapping[str, str]
    state: Mapping[str, Value]
    action: tuple[Value, ...]
    arms: Mapping[str, tuple[int, tuple[str, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a dataset has: features of pictures, and vectors with the names of their values.

    ours: robot-rl wrote it, so that further values of its state are sensors.
    """

    pictures: tuple[str, ...]
    vectors: Mapping[str, tuple[str, ...]]
    ours: bool


def parse_map(given: Sequence[str]) -> dict[str, str]:
    """Of `OURS=THEIRS` each. Raises BadMapping."""
    found: dict[str, str] = {}
    for text in given:
        ours, sign, theirs = text.partition("=")
        if not (ours and sign and theirs):
            raise BadMapping(f"--map {text} is not of the form OURS=THEIRS: correct it")
        found[ours] = theirs
    return found


def assign(task: Task, offered: Offered, given: Mapping[str, str]) -> Assignment:
    """Equal names belong together; `given`, OURS → THEIRS, says the rest: OURS may be a pattern
    (`dq*`) and THEIRS a number. Raises BadMapping.
    """
    observed = _values({n: v for n, v in offered.vectors.items() if n != ACTION}, first=STATE)
    acted = _values({ACTION: offered.vectors.get(ACTION, ())}, first=ACTION)
    cameras = {camera: _camera(camera, offered, given) for camera in task.cameras}
    arms = {arm: _arm(arm, observed, given, offered.ours) for arm in task.acting_arms}
    names = state_names(
        {arm: joints for arm, (joints, _) in arms.items()},
        {arm: sensors for arm, (_, sensors) in arms.items()},
    )
    used = {*task.cameras, *names, *task.action.names}
    for pattern in given:
        if not fnmatch.filter(used, pattern):
            raise BadMapping(
                f"--map {pattern}=… names nothing that the task {task.name} has: its cameras are "
                f"{_listed(task.cameras)}, its actions {_listed(task.action.names)}, and its state "
                f"is {_listed(names)}"
            )
    state = _found("value of the state", names, observed, given)
    action = _found("column of an action", task.action.names, acted, given)
    return Assignment(cameras=cameras, state=state, action=tuple(action.values()), arms=arms)


def _values(vectors: Mapping[str, Sequence[str]], *, first: str) -> dict[str, ColumnOf]:
    """By name, and by `FEATURE.NUMBER`; of two equal names that of `first` counts."""
    found: dict[str, ColumnOf] = {}
    for feature in sorted(vectors, key=lambda name: name != first):
        for index, name in enumerate(vectors[feature]):
            column = ColumnOf(feature=feature, index=index)
            found.setdefault(name, column)
            found[f"{feature}.{index}"] = column
    return found


def _camera(camera: str, offered: Offered, given: Mapping[str, str]) -> str:
    theirs = given.get(camera, camera)
    for name in (theirs, PICTURES + theirs):
        if name in offered.pictures:
            return name
    raise BadMapping(
        f"the task needs a camera {camera!r} and the dataset has {_listed(offered.pictures)}: give "
        f"--map {camera}=NAME with one of these"
    )


def _arm(
    arm: str, observed: Mapping[str, ColumnOf], given: Mapping[str, str], ours: bool
) -> tuple[int, tuple[str, ...]]:
    """How many joints are known of it, and which sensors."""
    start = prefix(arm)
    known = {*observed, *given}
    joint = re.compile(rf"{re.escape(start)}q(\d+)_rad")
    joints = max((int(m[1]) for name in known if (m := joint.fullmatch(name))), default=0)
    if not ours:
        return joints, ()
    standard = state_names({arm: joints})
    further = [
        name.removeprefix(start)
        for name, column in observed.items()
        if column.feature == STATE and name.startswith(start) and name not in standard
    ]
    return joints, tuple(name for name in further if not name.startswith(STATE))


def _found(
    what: str, wanted: Sequence[str], there: Mapping[str, ColumnOf], given: Mapping[str, str]
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    lacking: list[str] = []
    for name in wanted:
        pattern = name if name in given else _pattern(name, given)
        theirs = given[pattern] if pattern is not None else name
        if theirs in there:
            found[name] = there[theirs]
        elif pattern is not None and _is_number(theirs):
            found[name] = float(theirs)
        else:
            lacking.append(name)
    if lacking:
        names = [name for name in there if not name.rpartition(".")[2].isdigit()] or list(there)
        raise BadMapping(
            f"the dataset has no {what} for {_listed(lacking)}; it has {_listed(names)}: give "
            f"--map {lacking[0]}=NAME, or --map {lacking[0]}=0 for a constant"
        )
    return found


def _pattern(name: str, given: Mapping[str, str]) -> str | None:
    return next((each for each in given if fnmatch.fnmatchcase(name, each)), None)


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) or "none"
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
