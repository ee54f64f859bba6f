"""Settings of the simulated cell that need no MuJoCo to be read."""

from dataclasses import dataclass
from typing import Literal

TASK_NAMES = ("insert_peg", "lift_cube")  # keys of tasks.TASKS, known without loading MuJoCo

type Quality = Literal["fast", "pretty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneCamera:
    """One simulated camera; `name` is a camera of the scene."""

    name: str
    width: int = 128
    height: int = 128
    jpeg_quality: int = 90
