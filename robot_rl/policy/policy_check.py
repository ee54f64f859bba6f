"""Everything about a task's policy that can be known before a robot moves: what is mapped to what,
what does not fit, and whether it answers in time.
"""

import time
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import nn

from robot_rl.config.cell import Cell
from robot_rl.config.policy_mapping import UNFED
from robot_rl.config.task import Task
from robot_rl.policy.head import ActingPolicy
from robot_rl.policy.interface import BadObservation, Observation, Policy
from robot_rl.policy.lerobot_config import (
    PolicyFacts,
    resolve,
    task_mapping,
)
from robot_rl.policy.lerobot_fit import mismatches
from robot_rl.policy.manifest import PROPRIOCEPTION, BadCheckpoint
from robot_rl.policy.starting import load_starting_policy
from robot_rl.schema.message import Message
from robot_rl.schema.step import prefix, state_names
from safety.vocabulary import ONLY_ARM


class MappedValue(Message):
    """One input or output of the policy."""

    kind: Literal["image", "state", "action"]
    theirs: str
    ours: str  # empty: it is left dark, or not used
    note: str = ""


class PolicyReport(Message):
    """What `robot-rl policies check` prints. None: it was not got so far."""

    policy: str
    kind: str | None = None
    problems: tuple[str, ...] = ()
    mapped: tuple[MappedValue, ...] = ()
    device: str | None = None
    dtype: str | None = None
    parameters: int | None = None  # of a head of ours: without its backbone's
    weights_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    actions: int | None = None  # of a chunk that are sent
    step_s: float
    calls: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    keeps_up: Literal["every step", "within its chunk", "no"] | None = None


def examine(task: Task, cell: Cell | None, *, calls: int) -> PolicyReport:
    """Of the task's starting policy; on one core, as the actor has it."""
    torch.set_num_threads(1)
    if task.policy.kind == "lerobot":
        return _of_lerobot(task, cell, calls)
    report = PolicyReport(policy=task.policy.folder, step_s=task.step_s)
    try:
        policy = load_starting_policy(task, cell)
    except BadCheckpoint as error:
        return report.model_copy(update={"problems": (str(error),)})
    if isinstance(policy, ActingPolicy):
        backbone = policy.backbone
        facts = {"kind": f"head on {backbone.kind}", **_size_of(policy.head)}
        missing = [camera for camera in backbone.cameras if camera not in task.cameras]
        problems = tuple(
            f"it needs the camera {camera}, and the task has {', '.join(task.cameras)}: add it to "
            "cameras, or clone another policy"
            for camera in missing
        )
        mapped = tuple(MappedValue(kind="image", theirs=c, ours=c) for c in backbone.cameras)
        report = report.model_copy(update={**facts, "problems": problems, "mapped": mapped})
    return _timed(report, policy, _seen(task, cell), task, calls)


def _of_lerobot(task: Task, cell: Cell | None, calls: int) -> PolicyReport:
    from robot_rl.policy.lerobot import LeRobotPolicy, LoadedPolicy, made_up
    from robot_rl.policy.lerobot_loading import load_model, pick_device, read_source, statistics

    settings, mapping = task.policy, task_mapping(task)
    report = PolicyReport(policy=settings.folder, step_s=task.step_s)
    try:
        source = resolve(settings.folder, task.path.parent)
        facts = read_source(source, mapping)
    except BadCheckpoint as error:
        return report.model_copy(update={"problems": (str(error),)})
    problems = mismatches(facts, task, cell)
    found: dict[str, object] = {
        "policy": source,
        "kind": facts.config.type,
        "mapped": tuple(_mapped(facts, task, cell)),
    }
    try:
        device = pick_device(settings.device)
        model = load_model(facts, device, settings.dtype)
        problems += statistics(model.prepare, model.finish)
        found |= {"device": device, **_size_of(model.model)}
        report = report.model_copy(update={**found, "problems": tuple(problems)})
        if problems:
            return report
        loaded = LoadedPolicy(source, device, mapping=mapping, loaded=model)
        policy = LeRobotPolicy(loaded, task.action)
        seen = made_up(loaded, task) if cell is None else _seen(task, cell)
        policy.try_out(seen)
    except BadCheckpoint as error:
        return report.model_copy(update={**found, "problems": (*problems, str(error))})
    return _timed(report, policy, seen, task, calls)


def _timed(
    report: PolicyReport, policy: Policy, seen: Observation, task: Task, calls: int
) -> PolicyReport:
    rng, took = np.random.default_rng(0), list[float]()
    policy.reset()
    try:
        actions = len(policy.act(seen, rng).actions)  # the first one warms up
    except BadObservation as error:
        return report.model_copy(update={"problems": (*report.problems, str(error))})
    for _ in range(calls):
        began = time.perf_counter()
        policy.act(seen, rng)
        took.append(time.perf_counter() - began)
    p50, p95 = np.percentile(took, (50, 95)).tolist()
    problems, keeps = report.problems, keeps_up(p95, actions, task)
    if keeps == "no":
        problems = (
            *problems,
            f"it takes {p95 * 1e3:.0f} ms (p95) for a chunk of {actions} actions, which are over "
            "by then: the robot would hold all the time; a GPU (policy.device), a smaller model or "
            "a longer chunk lets it drive",
        )
    return report.model_copy(
        update={
            "problems": problems,
            "actions": actions,
            "calls": calls,
            "p50_s": p50,
            "p95_s": p95,
            "keeps_up": keeps,
            "gpu_peak_bytes": torch.cuda.max_memory_allocated() or None
            if torch.cuda.is_available()
            else None,
        }
    )


def keeps_up(
    took_s: float, actions: int, task: Task
) -> Literal["every step", "within its chunk", "no"]:
    """A chunk begins `action_delay_s` after its observation; what is late begins with the first
    action that is still to come.
    """
    if took_s <= task.action_delay_s:
        return "every step"
    in_time = took_s - task.action_delay_s < actions * task.step_s
    return "within its chunk" if in_time and took_s <= task.observation_age_s else "no"


def _size_of(module: nn.Module) -> dict[str, object]:
    weights = list(module.parameters())
    kinds = sorted({str(each.dtype).removeprefix("torch.") for each in weights})
    return {
        "parameters": sum(each.numel() for each in weights),
        "weights_bytes": sum(each.nbytes for each in [*weights, *module.buffers()]),
        "dtype": ", ".join(kinds),
    }


def _mapped(facts: PolicyFacts, task: Task, cell: Cell | None) -> Iterator[MappedValue]:
    """As far as it is known: what is not is among the problems."""
    config, mapping = facts.config, facts.mapping
    for key, camera in facts.cameras.items():
        _, height, width = (*config.images[key], 0, 0, 0)[:3]
        note = f"{width}×{height}"
        if cell is not None and camera in cell.cameras:
            seen = cell.cameras[camera]
            note = f"{seen.width}×{seen.height} → {note}"
        yield MappedValue(kind="image", theirs=key, ours=camera, note=note)
    try:
        for place, name in enumerate(facts.state):
            factor = mapping.state_scale.get(name)
            note = "" if factor is None else f"× {factor:g}"
            yield MappedValue(kind="state", theirs=f"state[{place}]", ours=name, note=note)
    except BadCheckpoint:
        pass  # it is a mismatch
    try:
        columns = facts.columns(task.action)
    except BadCheckpoint:
        return
    meaning, grippers = mapping.action, task.action.gripper_columns
    for place, column in enumerate(columns):
        ours = UNFED if column is None else task.action.names[column]
        note = meaning.gripper if column in grippers else f"{meaning.unit}, {meaning.frame}"
        yield MappedValue(kind="action", theirs=f"action[{place}]", ours=ours, note=note)


def _seen(task: Task, cell: Cell | None) -> Observation:
    """What the cell would show: noise in its sizes, hands that are not turned, zeros beside."""
    rng = np.random.default_rng(0)
    sizes = {
        camera: (128, 128, 3)
        if cell is None or camera not in cell.cameras
        else (cell.cameras[camera].height, cell.cameras[camera].width, 3)
        for camera in task.cameras
    }
    if cell is None:
        measured = dict.fromkeys((*task.policy.state, *_of_every_arm(task)))
        names = tuple(measured)
    else:
        names = state_names(cell.joints, cell.sensors)
    return Observation(
        images={name: rng.integers(0, 256, size, dtype=np.uint8) for name, size in sizes.items()},
        state=np.array([float(name.endswith("quaternion_w")) for name in names]),
        state_names=names,
        instruction=task.instruction,
        t_ns=0,
    )


def _of_every_arm(task: Task) -> Iterator[str]:
    for arm in task.acting_arms:
        yield from (prefix(arm) + name for name in (*state_names({ONLY_ARM: 7}), *PROPRIOCEPTION))
