"""What a learner is started with."""

from dataclasses import dataclass
from pathlib import Path

from robot_rl.config.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    task: Task
    server_url: str
    token: str
    data_folder: Path
    lockstep: bool = False
    seed: int = 0
