"""Refreshed encoders on the learner's disk, each a policy folder; which of them is in use stands in
the learner's saved state, so that both change in one step.
"""

import shutil
from pathlib import Path

from robot_rl.config.task import Task
from robot_rl.learner.checkpoint import read_position
from robot_rl.learner.saved_state import state_file
from robot_rl.learner.seeing.refresh import REFRESHED_FROM
from robot_rl.policy.folder import read_manifest
from robot_rl.policy.starting import starting_folder

ENCODERS = "encoders"


def encoders_folder(data_folder: Path, task: Task) -> Path:
    return data_folder / task.name / ENCODERS


def current_folder(data_folder: Path, task: Task) -> Path:
    """Of the policy whose encoder the learner goes on with: the starting one, until the saved state
    names one that was refreshed from it. Raises BadLearnerState or BadCheckpoint.
    """
    starting, encoders = starting_folder(task), encoders_folder(data_folder, task)
    position = read_position(state_file(data_folder, task))
    sha256 = read_manifest(starting).backbone.sha256
    current = encoders / ("" if position is None else position.backbone_sha256)
    if position is None or position.backbone_sha256 == sha256 or not current.is_dir():
        return starting
    if read_manifest(current).report.get(REFRESHED_FROM) != sha256:
        return starting  # another starting policy since: the saved state refuses it in words
    for other in encoders.iterdir():
        if other != current:
            shutil.rmtree(other, ignore_errors=True)  # one before, or one that was never used
    return current
