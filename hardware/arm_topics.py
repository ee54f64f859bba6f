"""What any arm process publishes and takes, in shared memory: who writes each topic, what it holds.

The arm process reads `arm_command` and the request rings, and writes everything else here.
"""

from pathlib import Path
from typing import Any

import numpy as np

from hardware.arm import ArmState
from hardware.memory import Record, Records, Ring, Slot
from safety.vocabulary import ONLY_ARM

FAULT_BYTES = 160

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
        ("gripper_hold", np.bool_),  # moves no further and keeps its grip, whatever `gripper` says
        ("hold", np.bool_),  # brake what motion is left
    ]
)
"""control → arm: one safety.command.CartesianTarget."""

TIMING = np.dtype(
    [
        ("t_ns", np.int64),
        ("real_time", np.bool_),  # SCHED_FIFO was granted
        ("ticks", np.int64),
        ("skipped_ticks", np.int64),  # missed deadlines; never caught up in a burst
        ("real_time_factor", np.float64),  # robot time over passed time, since the last report
        ("period_p50_us", np.float64),
        ("period_p99_us", np.float64),
        ("period_max_us", np.float64),
        ("latency_p50_us", np.float64),  # deadline → state published
        ("latency_p99_us", np.float64),
        ("latency_max_us", np.float64),
    ]
)
"""arm → all, twice a second in real time."""

REQUEST = np.dtype([("kind", "S16")])  # clear_fault | shutdown

REQUESTERS = ("control", "supervisor")
"""A ring has one producer, so each process that may ask has its own."""


def state_type(joints: int, sensors: int = 0) -> np.dtype[Any]:
    """arm → all, every tick (lock-step: every time virtual time moves). sensors: how many."""
    return np.dtype(
        [
            ("t_ns", np.int64),
            ("tick", np.int64),  # since the process started
            ("q", np.float64, joints),
            ("dq", np.float64, joints),
            ("torque", np.float64, joints),
            ("position", np.float64, 3),
            ("quaternion", np.float64, 4),
            ("twist", np.float64, 6),
            ("wrench", np.float64, 6),
            ("gripper_m", np.float64),
            ("gripper_target_m", np.float64),
            ("gripper_moving", np.bool_),
            ("limits", np.int64),
            ("braking", np.bool_),
            ("fault", f"S{FAULT_BYTES}"),
            ("sensors", np.float64, (sensors,)),
            ("jacobian", np.float64, (6, joints)),  # of the TCP; zeros where none is measured
            ("command_sequence", np.int64),  # of the newest command accepted
            ("commands", np.int64),  # accepted so far
            ("refused", np.int64),  # commands refused at the arm's own door so far
            ("refusal", f"S{FAULT_BYTES}"),  # why, the last time
            ("watchdog_trips", np.int64),
        ]
    )


def arm_folder(memory: Path, name: str) -> Path:
    """Where an arm's topics lie in the daemon's shared memory. Each of several has a folder."""
    return memory if name == ONLY_ARM else memory / f"arm_{name}"


def open_command(folder: Path) -> Slot:
    return Slot(folder / "arm_command", COMMAND)


def open_state(folder: Path, joints: int, sensors: int = 0) -> Slot:
    return Slot(folder / "arm_state", state_type(joints, sensors))


def open_timing(folder: Path) -> Slot:
    return Slot(folder / "arm_timing", TIMING)


def open_requests(folder: Path, requester: str) -> Ring:
    """The requests of one of `REQUESTERS` to the arm."""
    if requester not in REQUESTERS:
        raise ValueError(f"requester {requester!r}: known are {', '.join(REQUESTERS)}")
    return Ring(folder / f"arm_requests_{requester}", REQUEST, 16)


def make_all(folder: Path, joints: int, sensors: int = 0) -> None:
    """Take the memory of every topic now: a process that found it full later could only die."""
    folder.mkdir(exist_ok=True)
    open_command(folder)
    open_state(folder, joints, sensors)
    open_timing(folder)
    for requester in REQUESTERS:
        open_requests(folder, requester)


def request(kind: str) -> Records:
    """One record for a request ring."""
    return np.array((kind.encode(),), REQUEST)


def arm_state(record: Record) -> ArmState:
    """An `arm_state` record as the seam's type; its arrays are views of the record."""
    return ArmState(
        t_ns=int(record["t_ns"]),
        tick=int(record["tick"]),
        q_rad=record["q"],
        dq_rad_s=record["dq"],
        torque_nm=record["torque"],
        position_m=record["position"],
        quaternion_wxyz=record["quaternion"],
        twist=record["twist"],
        wrench=record["wrench"],
        gripper_m=float(record["gripper_m"]),
        gripper_target_m=float(record["gripper_target_m"]),
        gripper_moving=bool(record["gripper_moving"]),
        limits=int(record["limits"]),
        braking=bool(record["braking"]),
        fault=bytes(record["fault"]).decode(errors="replace"),
        sensors=record["sensors"],
        jacobian=record["jacobian"],
    )
