"""What exists only in simulation: the true state, placing objects, drawing on demand.

Asked for where the arm's description says that it is simulated; a real robot has none of it.
"""

from pathlib import Path

import numpy as np

from hardware.memory import Records, Ring, Slot

MAX_OBJECTS = 4
CANNOT_DRAW = 3
"""Exit code of a renderer on a machine that has no OpenGL: starting it again would not help."""

TRUTH = np.dtype(
    [
        ("t_ns", np.int64),
        ("seed", np.int64),
        ("resets", np.int64),  # how often objects were placed
        ("success", np.bool_),
        ("failed", np.bool_),  # no success can come any more: the episode ends here
        ("truncated", np.bool_),  # a time limit of the simulation's own is reached
        ("progress", np.float64),  # 0 … 1
        ("held", np.bool_),
        ("measure_m", np.float64),  # lift height or insertion depth
        ("objects", np.int64),
        ("names", "S16", MAX_OBJECTS),
        ("poses", np.float64, (MAX_OBJECTS, 7)),  # position m, quaternion wxyz; in the base frame
        ("start_position", np.float64, 3),  # where this episode's start pose puts the TCP
        ("start_quaternion", np.float64, 4),
        ("start_gripper", np.float64),  # 0 closed … 1 open: what to command at the start
    ]
)
"""simulated arm → rehearsal and evaluation only, at 50 Hz. Never shown to a policy."""

PLACE = np.dtype(
    [
        ("number", np.int64),  # chosen by the sender, given back in the answer
        ("seed", np.int64),
        ("with_arm", np.bool_),  # put the arm at the start pose too, at once
    ]
)
"""actor → simulated arm: put the objects where `seed` says."""

PLACED = np.dtype([("number", np.int64), ("seed", np.int64), ("t_ns", np.int64)])
"""simulated arm → actor: the newest placing that was carried out."""

EPISODE = np.dtype([("running", np.bool_)])
"""actor → simulated arm: whether an episode runs. Nothing written yet means no."""

RENDERING = np.dtype([("enabled", np.bool_)])
"""actor → simulated cameras: whether frames are wanted. Nothing written yet means yes."""


def open_truth(folder: Path) -> Slot:
    return Slot(folder / "sim_truth", TRUTH)


def open_placing(folder: Path) -> Ring:
    return Ring(folder / "sim_placing", PLACE, 16)


def open_placed(folder: Path) -> Slot:
    return Slot(folder / "sim_placed", PLACED)


def open_episode(folder: Path) -> Slot:
    return Slot(folder / "sim_episode", EPISODE)


def open_rendering(folder: Path) -> Slot:
    return Slot(folder / "sim_rendering", RENDERING)


def make_all(folder: Path) -> None:
    """Take the memory of every topic now: a process that found it full later could only die."""
    for opened in (open_truth, open_placing, open_placed, open_episode, open_rendering):
        opened(folder)


def place(number: int, seed: int, *, with_arm: bool = False) -> Records:
    """One record for the placing ring."""
    return np.array((number, seed, with_arm), PLACE)
