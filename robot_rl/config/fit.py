"""Whether a cell and a task, each right in itself, fit one another."""

from robot_rl.config.cell import Cell
from robot_rl.config.task import Task


def check_fit(cell: Cell, task: Task) -> None:
    """Raises ValueError with one plain sentence."""
    _action(task)
    _cameras(cell, task)
    _workspaces(cell, task)
    _simulation(cell, task)


def _action(task: Task) -> None:
    """What control can drive today: one arm, by changes of the pose of its TCP."""
    if task.action.space != "tcp_delta":
        raise ValueError(
            f"{task.path}: action.space is {task.action.space!r}, and control drives "
            "'tcp_delta' only: use that space for a task that runs on a robot"
        )
    if len(task.action.arms) > 1:
        raise ValueError(
            f"{task.path}: action.arms names {len(task.action.arms)} arms, and control drives one: "
            "take all but one out"
        )


def _cameras(cell: Cell, task: Task) -> None:
    missing = sorted(set(task.cameras) - set(cell.cameras))
    if missing:
        raise ValueError(
            f"the task {task.name} needs the camera {missing[0]!r}, and the cell "
            f"{cell.name} has: {', '.join(sorted(cell.cameras)) or '(none)'}"
        )


def _workspaces(cell: Cell, task: Task) -> None:
    """A task can only tighten its cell: some room must be left, with the home pose in it."""
    lows = task.limits.workspace_min_m or cell.limits.workspace_min_m
    highs = task.limits.workspace_max_m or cell.limits.workspace_max_m
    for axis, name in enumerate("xyz"):
        low = max(lows[axis], cell.limits.workspace_min_m[axis])
        high = min(highs[axis], cell.limits.workspace_max_m[axis])
        home = task.reset.home_position_m[axis]
        if low >= high:
            raise ValueError(
                f"{task.path}: on {name} the task's workspace leaves no room inside that of the "
                f"cell {cell.name} ({cell.limits.workspace_min_m[axis]:g} to "
                f"{cell.limits.workspace_max_m[axis]:g} m): correct limits.workspace_min_m or "
                "limits.workspace_max_m"
            )
        if not low <= home <= high:
            raise ValueError(
                f"{task.path}: reset.home_position_m is {home:g} m on {name}, outside the "
                f"workspace ({low:g} to {high:g} m): correct it"
            )


def _simulation(cell: Cell, task: Task) -> None:
    """The scene exists, and is shown at every observation: the simulator's steps end there."""
    simulation = cell.described_arm.simulation
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
