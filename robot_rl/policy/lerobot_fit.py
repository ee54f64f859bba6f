"""Whether a LeRobot policy fits a task and a cell, by what its config.json says: every mismatch as
a sentence that says what to do.
"""

from robot_rl.config.cell import Cell
from robot_rl.config.policy_mapping import UNFED
from robot_rl.config.task import Task
from robot_rl.policy.lerobot_config import CONFIG, STATE, PolicyFacts
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.schema.step import state_names

_NO_CHUNKS = ("gaussian_actor",)


def mismatches(facts: PolicyFacts, task: Task, cell: Cell | None) -> list[str]:
    """Everything that does not fit, a sentence each; without a cell nothing that only it knows."""
    return [
        *_of_its_kind(facts),
        *_of_cameras(facts, task, cell),
        *_of_state(facts, cell),
        *_of_action(facts, task),
        *_of_time(facts, task),
    ]


def check(facts: PolicyFacts, task: Task, cell: Cell | None) -> None:
    """Raises BadCheckpoint: the first mismatch, and how many more there are."""
    found = mismatches(facts, task, cell)
    if found:
        raise BadCheckpoint(f"{facts.source}: {and_more(found, task)}")


def and_more(found: list[str], task: Task) -> str:
    """The first of several sentences, and where to find the others."""
    more = len(found) - 1
    if not more:
        return found[0]
    return f"{found[0]} ({more} more: `robot-rl policies check --task {task.path}` names them)"


def _of_its_kind(facts: PolicyFacts) -> list[str]:
    config, found = facts.config, list[str]()
    if not config.input_features or not config.output_features:
        found.append(
            f"its {CONFIG} names no inputs or no outputs: train it on a dataset first, which fills "
            "them in"
        )
    known = {STATE, *config.images}
    for name, feature in (config.input_features or {}).items():
        if name not in known and feature.type in ("STATE", "ENV"):
            found.append(
                f"it takes {name}, which no robot measures: use a policy that sees images and "
                f"{STATE}"
            )
    if config.type in _NO_CHUNKS:
        found.append(f"a {config.type} policy answers no chunks of actions: use another kind")
    if config.n_obs_steps > 1:
        found.append(
            f"it looks at {config.n_obs_steps} observations at once, and a policy is given the "
            "newest one: train it with n_obs_steps = 1"
        )
    return found


def _of_cameras(facts: PolicyFacts, task: Task, cell: Cell | None) -> list[str]:
    config, fed = facts.config, facts.cameras
    has = ", ".join(task.cameras) or "(none)"
    found = [
        f"policy.cameras names the image {key!r}, and the policy takes: "
        f"{', '.join(config.images) or '(none)'}"
        for key in facts.mapping.cameras
        if key not in config.images
    ]
    for key, camera in fed.items():
        channels, height, width = (*config.images[key], 0, 0, 0)[:3]
        if camera == UNFED:
            if not config.may_be_dark:
                found.append(
                    f"its image {key!r} is not fed, and policies of its kind ({config.type}) need "
                    f"all: give it a camera of the task ({has}) in [policy.cameras]"
                )
        elif camera not in task.cameras:
            dark = f', or "{UNFED}" to leave it dark' if config.may_be_dark else ""
            found.append(
                f"its image {key!r} wants the camera {camera!r}, and the task has {has}: write "
                f'"{key}" = one of these under [policy.cameras] in the task file{dark}'
            )
        elif channels != 3:
            found.append(
                f"its image {key!r} has {channels} channels, and cameras here have 3 (RGB)"
            )
        elif cell is not None and camera in cell.cameras and not config.resizes:
            seen = cell.cameras[camera]
            if seen.width * height != seen.height * width:
                found.append(
                    f"its image {key!r} is {width}×{height} and the camera {camera} of the cell "
                    f"gives {seen.width}×{seen.height}, which would be distorted: set width and "
                    f"height of [cameras.{camera}] in the cell file to that shape"
                )
    if fed and all(camera == UNFED for camera in fed.values()):
        found.append("none of its images is fed: give one a camera in [policy.cameras]")
    return found


def _of_state(facts: PolicyFacts, cell: Cell | None) -> list[str]:
    if facts.config.state_size is None:
        if facts.mapping.state:
            return ["it takes no state, and policy.state names some: take that out"]
        return []
    try:
        names = facts.state
    except BadCheckpoint as error:
        return [str(error).removeprefix(f"{facts.source}: ")]
    if cell is None:
        return []
    known = state_names(cell.joints, cell.sensors)
    return [
        f"it takes the state {name!r}, and the cell {cell.name} measures: {', '.join(known)}"
        for name in names
        if name not in known
    ]


def _of_action(facts: PolicyFacts, task: Task) -> list[str]:
    action, meaning = task.action, facts.mapping.action
    try:
        columns = facts.columns(action)
    except BadCheckpoint as error:
        return [str(error).removeprefix(f"{facts.source}: ")]
    found: list[str] = []
    unused = {*range(action.size)} - {*action.active_axes}
    unused -= {*action.gripper_columns} if action.gripper else set()
    found += [
        f"policy.action.columns names {action.names[column]!r}, which the task's [action] does "
        f'not use: give it a scale there, or write "{UNFED}" in its place'
        for column in columns
        if meaning.columns and column in unused
    ]
    if meaning.frame == "tcp" and action.space != "tcp_delta":
        found.append("policy.action.frame is 'tcp', and the task moves joints: take it out")
    return found


def _of_time(facts: PolicyFacts, task: Task) -> list[str]:
    fps = facts.mapping.fps
    if fps is None or abs(fps * task.step_s - 1.0) < 0.01:
        return []
    return [
        f"it was trained at {fps:g} fps, and a step of the task takes {task.step_s:g} s "
        f"({1 / task.step_s:g} fps): its actions would be executed {1 / (fps * task.step_s):.2g} "
        f"times as fast; set step_s = {1 / fps:.4g} in the task file"
    ]
