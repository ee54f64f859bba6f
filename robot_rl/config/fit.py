"""Whether a cell and a task, each right in itself, fit one another."""

from collections.abc import Iterable, Mapping

from robot_rl.config.cell import Cell
from robot_rl.config.limit_profile import LIMITS, ChosenBy, chosen, tightens
from robot_rl.config.task import Task
from robot_rl.schema.step import state_names
from safety.vocabulary import ONLY_ARM


def check_fit(cell: Cell, task: Task) -> None:
    """Raises ValueError with one plain sentence."""
    _action(task)
    _arms(cell, task)
    _cameras(cell, task)
    _state(cell, task)
    _profiles(cell, task)
    _workspaces(cell, task)
    _simulation(cell, task)


def _action(task: Task) -> None:
    """What control can drive today: arms, each by changes of the pose of its TCP."""
    if task.action.space != "tcp_delta":
        raise ValueError(
            f"{task.path}: action.space is {task.action.space!r}, and control drives "
            "'tcp_delta' only: use that space for a task that runs on a robot"
        )


def _arms(cell: Cell, task: Task) -> None:
    """Every arm of the cell has its section in the task, and what acts is one of them."""
    has = "one arm" if ONLY_ARM in cell.arms else f"the arms {_listed(cell.arms)}"
    if task.arms.keys() != cell.arms.keys():
        says = "for one arm" if ONLY_ARM in task.arms else f"for {_listed(task.arms)}"
        want = (
            "give [reset] its home_position_m and take [arms.NAME] out"
            if ONLY_ARM in cell.arms
            else "give each an [arms.NAME] with its home_position_m"
        )
        raise ValueError(f"{task.path}: it is {says}, and the cell {cell.name} has {has}: {want}")
    if ONLY_ARM in task.acting_arms and ONLY_ARM not in cell.arms:
        raise ValueError(
            f"{task.path}: action.arms is missing, and the cell {cell.name} has several arms: "
            f"name those that act, of {_listed(cell.arms)}"
        )
    device = cell.teleop[0].arm if cell.teleop else None
    if device is not None and device not in task.acting_arms:
        raise ValueError(
            f"{task.path}: action.arms leaves out {device!r}, which teleop.0.arm of the cell "
            f"{cell.name} drives: add it to action.arms, or correct teleop.0.arm"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _cameras(cell: Cell, task: Task) -> None:
    missing = sorted(set(task.cameras) - set(cell.cameras))
    if missing:
        raise ValueError(
            f"the task {task.name} needs the camera {missing[0]!r}, and the cell "
            f"{cell.name} has: {', '.join(sorted(cell.cameras)) or '(none)'}"
        )


def _state(cell: Cell, task: Task) -> None:
    """What the policy is to see is measured."""
    known = state_names(cell.joints, cell.sensors)
    unknown = [name for name in task.policy.state if name not in known]
    if unknown:
        raise ValueError(
            f"{task.path}: policy.state names {unknown[0]!r}, and the cell {cell.name} measures: "
            f"{', '.join(known)}"
        )


def active_profiles(cell: Cell, task: Task) -> Mapping[str, ChosenBy]:
    """Profiles that are in force as long as this task is: named by it, or by its instruction."""
    return chosen(cell.limit_profiles, task.limit_profiles, task.instruction)


def _profiles(cell: Cell, task: Task) -> None:
    """What the task names is there, and tightens something."""
    known = {profile.name for profile in cell.limit_profiles}
    for name in task.limit_profiles:
        if name not in known:
            raise ValueError(
                f"{task.path}: limit_profiles names {name!r}, and the cell {cell.name} has: "
                f"{_listed(sorted(known)) or '(none)'}"
            )
        if not any(_tightens(cell, task, arm, name) for arm in cell.arms):
            raise ValueError(
                f"{task.path}: limit_profiles names {name!r}, which changes nothing: the task's "
                "own limits are as tight already; take it out"
            )


def _tightens(cell: Cell, task: Task, arm: str, name: str) -> bool:
    bounds, tightened = cell.arms[arm].limits, task.arms[arm].limits
    return any(tightens(bounds.profiles[name], key, tightened, bounds) for key in LIMITS)


def _workspaces(cell: Cell, task: Task) -> None:
    """A task can only tighten its cell: some room must be left, with the home pose in it."""
    for name in cell.arms:
        _workspace(cell, task, name)


def _workspace(cell: Cell, task: Task, arm: str) -> None:
    bounds, tightened = cell.arms[arm].limits, task.arms[arm].limits
    lows = tightened.workspace_min_m or bounds.workspace_min_m
    highs = tightened.workspace_max_m or bounds.workspace_max_m
    of_limits, of_reset = ("", "reset.") if arm == ONLY_ARM else (f"arms.{arm}.",) * 2
    for axis, name in enumerate("xyz"):
        low = max(lows[axis], bounds.workspace_min_m[axis])
        high = min(highs[axis], bounds.workspace_max_m[axis])
        home = task.arms[arm].home_position_m[axis]
        if low >= high:
            raise ValueError(
                f"{task.path}: on {name} the task's workspace leaves no room inside that of the "
                f"cell {cell.name} ({bounds.workspace_min_m[axis]:g} to "
                f"{bounds.workspace_max_m[axis]:g} m): correct "
                f"{of_limits}limits.workspace_min_m or {of_limits}limits.workspace_max_m"
            )
        if not low <= home <= high:
            raise ValueError(
                f"{task.path}: {of_reset}home_position_m is {home:g} m on {name}, outside the "
                f"workspace ({low:g} to {high:g} m): correct it"
            )
        _workspace_of_profiles(cell, task, arm, axis, low, high)


def _workspace_of_profiles(
    cell: Cell, task: Task, arm: str, axis: int, low: float, high: float
) -> None:
    """Whatever profiles come to be active some room is left, and with those of the task the start
    pose is in it. `low`, `high`: of cell and task.
    """
    home, name = task.arms[arm].home_position_m[axis], "xyz"[axis]
    active = active_profiles(cell, task)
    for profile, values in cell.arms[arm].limits.profiles.items():
        mine = (values.workspace_min_m, values.workspace_max_m)
        ends = [None if end is None else end[axis] for end in mine]
        within = (ends[0] is None or ends[0] <= home) and (ends[1] is None or home <= ends[1])
        if profile in active and not within:
            raise ValueError(
                f"{task.path}: home_position_m is {home:g} m on {name}, outside the workspace of "
                f"the profile {profile!r}, which the {active[profile]} selects: correct either"
            )
        low = low if ends[0] is None else max(low, ends[0])
        high = high if ends[1] is None else min(high, ends[1])
    if low >= high:
        raise ValueError(
            f"{task.path}: on {name} the workspace of the task and those of the profiles of the "
            f"cell {cell.name} leave no room when all are active ({low:g} to {high:g} m): make one "
            "of them larger"
        )


def _simulation(cell: Cell, task: Task) -> None:
    """The scene exists, and is shown at every observation: the simulator's steps end there."""
    simulation = cell.simulation
    if simulation is None:
        return
    if task.step_ns % simulation.step_ns:
        raise ValueError(
            f"{task.path}: step_s is {task.step_s:g} s, and the simulated cell {cell.name} "
            f"needs a multiple of its own step ({simulation.step_ns / 1e9:g} s)"
        )
    if task.scene not in simulation.scenes:
        raise ValueError(
            f"{task.path}: the simulated cell {cell.name} has no scene {task.scene!r}; give "
            f"simulation.scene one of: {', '.join(simulation.scenes)}"
        )
    asked = task.simulation
    if asked is not None and asked.changes_view and not simulation.changes_view:
        raise ValueError(
            f"{task.path}: simulation.cameras_moved_m and simulation.light need a simulation that "
            f"can move its cameras and lamps, and that of the cell {cell.name} cannot: take them "
            "out"
        )
