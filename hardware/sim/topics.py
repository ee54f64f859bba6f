"""Every shared-memory topic of the simulated arm in one table: who writes it, and what it holds.

sim_arm reads `arm_command` and the request rings, and writes everything else here.
"""

from pathlib import Path

import numpy as np

from hardware.memory import Records, Ring, Slot

MAX_QPOS = 48
MAX_MOCAP = 2
MAX_OBJECTS = 4

COMMAND = np.dtype(
    [
        ("sequence", np.int64),
        ("t_ns", np.int64),  # robot time at which the gate made it
        ("valid_until_ns", np.int64),
        ("epoch", np.int64),
        ("position", np.float64, 3),  # m, tcp_in_base
        ("quaternion", np.float64, 4),  # wxyz
        ("clip_m", np.float64, (2, 3)),  # row 0 towards minus, row 1 towards plus
        ("clip_rad", np.float64, (2, 3)),
        ("gripper", np.float64),  # 0 closed … 1 open
        ("hold", np.bool_),  # brake what motion is left
    ]
)
"""control → sim_arm."""

STATE = np.dtype(
    [
        ("t_ns", np.int64),
        ("tick", np.int64),  # physics steps since the process started
        ("q", np.float64, 7),
        ("dq", np.float64, 7),
        ("torque", np.float64, 7),
        ("position", np.float64, 3),
        ("quaternion", np.float64, 4),
        ("twist", np.float64, 6),
        ("wrench", np.float64, 6),
        ("gripper_m", np.float64),
        ("gripper_target_m", np.float64),
        ("gripper_moving", np.bool_),
        ("limits", np.int64),
        ("braking", np.bool_),
        ("fault", "S160"),
        ("reference_position", np.float64, 3),  # as the impedance law used it
        ("reference_quaternion", np.float64, 4),
        ("command_sequence", np.int64),  # of the newest command accepted
        ("commands", np.int64),  # accepted so far
        ("watchdog_trips", np.int64),
    ]
)
"""sim_arm → all, every physics step (lock-step: every time virtual time moves)."""

TIMING = np.dtype(
    [
        ("t_ns", np.int64),
        ("real_time", np.bool_),  # SCHED_FIFO was granted
        ("ticks", np.int64),
        ("skipped_ticks", np.int64),  # missed deadlines; never caught up in a burst
        ("real_time_factor", np.float64),  # simulated over passed time, since the last report
        ("period_p50_us", np.float64),
        ("period_p99_us", np.float64),
        ("period_max_us", np.float64),
        ("latency_p50_us", np.float64),  # deadline → state published
        ("latency_p99_us", np.float64),
        ("latency_max_us", np.float64),
    ]
)
"""sim_arm → all, twice a second in real time."""

SNAPSHOT = np.dtype(
    [
        ("t_ns", np.int64),
        ("qpos", np.float64, MAX_QPOS),
        ("mocap", np.float64, (MAX_MOCAP, 7)),
    ]
)
"""sim_arm → camera: the scene at T_k = k · frame_dt."""

TRUTH = np.dtype(
    [
        ("t_ns", np.int64),
        ("seed", np.int64),
        ("resets", np.int64),  # how often objects were placed
        ("success", np.bool_),
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
"""sim_arm → rehearsal and evaluation only, at 50 Hz. Never shown to a policy."""

REQUEST = np.dtype(
    [
        ("kind", "S16"),  # reset | clear_fault | shutdown
        ("number", np.int64),  # chosen by the sender, given back in the answer
        ("seed", np.int64),
        ("with_arm", np.bool_),  # reset: put the arm at the start pose too, at once
    ]
)

RESET_DONE = np.dtype([("number", np.int64), ("seed", np.int64), ("t_ns", np.int64)])
"""sim_arm → the sender: the newest reset that was carried out."""

RENDERING = np.dtype([("enabled", np.bool_)])
"""actor → camera: whether frames are wanted. Nothing written yet means yes."""

SLOTS = {
    "arm_command": COMMAND,
    "arm_state": STATE,
    "arm_timing": TIMING,
    "arm_reset_done": RESET_DONE,
    "sim_snapshot": SNAPSHOT,
    "sim_truth": TRUTH,
    "sim_rendering": RENDERING,
}

REQUESTERS = ("control", "actor", "supervisor")
"""A ring has one producer, so each process that may ask has its own."""


def open_slot(folder: Path, name: str) -> Slot:
    """The slot `name` of `SLOTS`."""
    return Slot(folder / name, SLOTS[name])


def open_requests(folder: Path, requester: str) -> Ring:
    """The requests of one of `REQUESTERS` to sim_arm."""
    if requester not in REQUESTERS:
        raise ValueError(f"requester {requester!r}: known are {', '.join(REQUESTERS)}")
    return Ring(folder / f"arm_requests_{requester}", REQUEST, 16)


def request(kind: str, *, number: int = 0, seed: int = 0, with_arm: bool = False) -> Records:
    """One record for a request ring."""
    return np.array((kind.encode(), number, seed, with_arm), REQUEST)
