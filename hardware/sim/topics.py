"""What the processes of the simulation tell one another; nobody else reads it."""

from pathlib import Path

import numpy as np

from hardware.memory import Slot

MAX_QPOS = 48
MAX_MOCAP = 2

SNAPSHOT = np.dtype(
    [
        ("t_ns", np.int64),
        ("qpos", np.float64, MAX_QPOS),
        ("mocap", np.float64, (MAX_MOCAP, 7)),
    ]
)
"""arm → camera: the scene at T_k = k · frame_dt."""


def open_snapshot(folder: Path) -> Slot:
    return Slot(folder / "sim_snapshot", SNAPSHOT)
