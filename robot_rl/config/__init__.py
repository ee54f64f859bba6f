"""Cell and task files (TOML) → frozen, validated models. Nothing else reads configuration."""

from robot_rl.config.cell import Cell
from robot_rl.config.document import BadConfig, load_cell, load_task
from robot_rl.config.fit import check_fit
from robot_rl.config.task import Task

__all__ = ["BadConfig", "Cell", "Task", "check_fit", "load_cell", "load_task"]
