"""The policy a robot starts with: as its task file names it, or untrained."""

from pathlib import Path

import torch

from robot_rl.config.cell import Cell
from robot_rl.config.task import Task
from robot_rl.policy.checkpoint import load_policy, write_checkpoint, write_head_on
from robot_rl.policy.folder import MODEL, file_sha256
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.interface import Policy
from robot_rl.policy.keypoint_cnn import KeypointNet
from robot_rl.policy.manifest import (
    EQUAL,
    PROPRIOCEPTION,
    BadCheckpoint,
    CheckpointManifest,
    KeypointSettings,
    LeRobotBackbone,
)
from robot_rl.policy.remote_task import connect_policy
from robot_rl.schema.step import prefix

BY_THE_SUBGOAL = (0.3, 3.0, 0.3)
"""Weights of keypoints, subgoal and proprioception. Measured on insert_peg: docs/results.md."""


def starting_folder(task: Task) -> Path:
    """Where the task's starting policy lies. Raises BadCheckpoint."""
    if not task.policy.folder:
        raise BadCheckpoint(
            f"{task.path}: the task's policy runs on a policy server, and this needs one in a "
            "folder: add policy.folder"
        )
    return (task.path.parent / task.policy.folder).resolve()


def load_starting_policy(task: Task, cell: Cell | None = None) -> Policy:
    """Raises BadCheckpoint."""
    if task.policy.server is not None:
        return connect_policy(task, task.policy.server)
    if task.policy.kind == "lerobot":
        from robot_rl.policy.lerobot import load_lerobot_policy  # loads LeRobot: seconds

        return load_lerobot_policy(task, cell)
    return load_policy(starting_folder(task))


def sees_one_place(task: Task) -> bool:
    """Whether the subgoal is one place in every episode, and pictures show it. With a gripper it
    jumps when that acts.
    """
    return bool(task.cameras) and not task.action.gripper


def shapes(task: Task) -> tuple[KeypointSettings, HeadSettings]:
    """Settings of backbone and head that fit a task."""
    arms = task.acting_arms
    every_arm = tuple(prefix(arm) + name for arm in arms for name in PROPRIOCEPTION)
    backbone = KeypointSettings(
        cameras=task.cameras,
        proprioception=task.policy.state or every_arm,
        arms=len(arms),
        weights=BY_THE_SUBGOAL if sees_one_place(task) else EQUAL,
    )
    return backbone, head_shape(task, backbone.size)


def head_shape(task: Task, features: int) -> HeadSettings:
    """Of a head on so many features that fits a task's action."""
    action = task.action
    return HeadSettings(
        features=features,
        size=action.size,
        axes=action.active_axes,
        gripper_columns=action.gripper_columns if action.gripper else (),
        width=task.learner.width,
    )


def write_untrained(folder: Path, task: Task, seed: int) -> CheckpointManifest:
    """A policy that knows nothing: what demonstrations are recorded with, and what tests run on."""
    backbone, head = shapes(task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return write_checkpoint(
            folder,
            net=KeypointNet(backbone),
            head=Head(head),
            task=task.name,
            instruction=task.instruction,
            algorithm="untrained",
            report={"seed": seed},
        )


def write_untrained_on(folder: Path, source: Path, task: Task, seed: int) -> CheckpointManifest:
    """A policy folder with an untrained head on the SmolVLA in `source`, a folder."""
    from robot_rl.policy.lerobot import LoadedPolicy  # loads LeRobot: seconds
    from robot_rl.policy.lerobot_features import SmolVlaFeatures

    weights = source / MODEL
    loaded = LoadedPolicy(source)
    backbone = SmolVlaFeatures(loaded, file_sha256(weights))
    described = LeRobotBackbone(
        source=str(source.resolve()),
        sha256=backbone.sha256,
        size_bytes=weights.stat().st_size,
        cameras=backbone.cameras,
        state=loaded.state,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(head_shape(task, backbone.size))
    return write_head_on(
        folder,
        backbone=described,
        head=head,
        task=task.name,
        instruction=task.instruction,
        algorithm="untrained",
        report={"seed": seed},
    )


def write_tunable(folder: Path, source: Path, task: Task) -> CheckpointManifest:
    """A policy folder that acts as the LeRobot policy in `source`, a folder, and from which a
    learner fine-tunes it. Raises BadCheckpoint.
    """
    from robot_rl.policy.lerobot import LoadedPolicy  # loads LeRobot: seconds
    from robot_rl.policy.tunable import TunablePolicy
    from robot_rl.policy.tuned_head import TunedHead, untuned

    loaded = LoadedPolicy(source)
    loaded.facts.trained_columns(task.action)
    weights = source / MODEL
    base = TunablePolicy(loaded, file_sha256(weights))
    return write_head_on(
        folder,
        backbone=LeRobotBackbone(
            kind="lerobot",
            source=str(source.resolve()),
            sha256=base.sha256,
            size_bytes=weights.stat().st_size,
            cameras=base.cameras,
            state=loaded.state,
        ),
        head=TunedHead(untuned(task.action), base),
        task=task.name,
        instruction=task.instruction,
        algorithm="lerobot",
    )
