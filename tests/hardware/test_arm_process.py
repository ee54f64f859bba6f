"""The arm as a process of its own: in lock-step, in real time, and when those around it die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware import arm_process, arm_topics, simulation_topics
from hardware.arm import ArmLost
from hardware.arm_client import ArmClient
from hardware.clock import MonotonicClock, VirtualClock, register
from hardware.sim.panda import JOINTS
from safety._seal import SEAL
from safety.command import CartesianTarget, JointTarget
from safety.faults import FaultCode
from tests.hardware.conftest import PRIORITY, hosted

MS = 1_000_000
CONTROL_NS = 5 * MS


def target(sequence: int, now_ns: int, position: Any, quaternion: Any, gripper: float = 1.0):
    """What the gate would hand to the driver."""
    return CartesianTarget(
        seal=SEAL,
        sequence=sequence,
        t_robot_ns=now_ns,
        epoch=1,
        valid_until_ns=now_ns + 100 * MS,
        position_m=np.array(position),
        quaternion=np.array(quaternion),
        clip_m=np.full((2, 3), 0.01),
        clip_rad=np.full((2, 3), 0.1),
        gripper=gripper,
        gripper_hold=False,
        hold=False,
    )


class VirtualControl:
    """A control party in lock-step: one command every 5 ms of virtual time."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(folder, "control")
        self.arm = ArmClient(folder, JOINTS, self.clock)
        self.sequence, self.due_ns = 0, self.clock.now_ns()

    def send(self, position: Any, quaternion: Any, gripper: float) -> None:
        self.sequence += 1
        measured = self.arm.state().position_m
        position = np.clip(position, measured - 0.01, measured + 0.01)  # as the gate would
        self.arm.send(target(self.sequence, self.due_ns, position, quaternion, gripper))
        self.skip(CONTROL_NS)

    def skip(self, duration_ns: int) -> None:
        """Let time pass without a command."""
        self.due_ns += duration_ns
        self.clock.grant_until_ns(self.due_ns)
        assert self.clock.wait_until_ns(self.due_ns, 30.0), "virtual time stands still"


def shut_down(folder: Path, process: Any) -> None:
    arm_topics.open_requests(folder, "supervisor").push(arm_topics.request("shutdown"))
    process.join(10.0)
    assert process.exitcode == 0


def start_virtual(memory: Path, processes: Any, task: str = "lift_cube", seed: int = 3):
    register(memory, ("control",))
    started = hosted(memory, task, seed=seed, virtual=True)
    process = processes.start(arm_process.main, started, PRIORITY)
    return process, VirtualControl(memory)


def lift(memory: Path, processes: Any, experts: Any) -> np.void:
    """Lift the cube through `ArmClient`; the state at the end."""
    process, control = start_virtual(memory, processes)
    state = control.arm.state()
    driver = experts.driver(control.send, (state.position_m, state.quaternion_wxyz))
    truth = simulation_topics.open_truth(memory)
    cube = truth.read()
    assert not bool(cube["success"])
    pose = cube["poses"][0]
    experts.lift_cube(driver, pose[:3], float(2 * np.arctan2(pose[6], pose[3])))
    done = truth.read()
    assert bool(done["success"])
    assert float(done["progress"]) == 1.0
    assert bytes(done["names"][0]) == b"cube"
    end = arm_topics.open_state(memory, JOINTS).read()
    shut_down(memory, process)
    return end


@pytest.mark.slow
def test_cube_is_lifted_through_sim_arm_and_lockstep_repeats(
    memory: Path, processes: Any, experts: Any
):
    first = lift(memory, processes, experts)
    for path in memory.iterdir():
        path.unlink()
    second = lift(memory, processes, experts)
    assert first == second, "lock-step gives the same bits every time"


def test_lockstep_watchdog_clear_and_reset(memory: Path, processes: Any):
    process, control = start_virtual(memory, processes)
    begin = control.arm.state()
    for _ in range(20):
        control.send(begin.position_m, begin.quaternion_wxyz, 1.0)
    assert not control.arm.state().braking
    control.skip(150 * MS)
    stopped = control.arm.state()
    assert stopped.braking
    assert "no new command" in stopped.fault
    control.arm.clear_fault()
    control.skip(10 * MS)
    assert control.arm.state().braking, "no fresh commands: refused"
    for _ in range(3):
        control.send(stopped.position_m, stopped.quaternion_wxyz, 1.0)
    assert control.arm.state().braking, "commands alone do not end it"
    control.arm.clear_fault()
    control.send(stopped.position_m, stopped.quaternion_wxyz, 1.0)
    assert not control.arm.state().braking

    truth = simulation_topics.open_truth(memory)
    before = truth.read()
    simulation_topics.open_placing(memory).push(simulation_topics.place(17, 99))
    control.send(stopped.position_m, stopped.quaternion_wxyz, 1.0)
    answer = simulation_topics.open_placed(memory).read()
    assert (int(answer["number"]), int(answer["seed"])) == (17, 99)
    after = truth.read()
    assert int(after["resets"]) == int(before["resets"]) + 1
    assert not np.allclose(after["poses"][0], before["poses"][0], atol=1e-3)
    shut_down(memory, process)


def test_lockstep_time_waits_for_every_party(memory: Path, processes: Any):
    register(memory, ("control", "actor"))
    started = hosted(memory, "lift_cube", virtual=True)
    process = processes.start(arm_process.main, started, PRIORITY)
    control = VirtualControl(memory)
    actor = VirtualClock(memory, "actor")
    actor.grant_until_ns(20 * MS)
    control.clock.grant_until_ns(100 * MS)
    assert control.clock.wait_until_ns(20 * MS, 30.0)
    assert not control.clock.wait_until_ns(21 * MS, 0.3), "the actor has not answered"
    actor.leave()
    assert control.clock.wait_until_ns(100 * MS, 30.0), "who left is not waited for"
    assert not control.clock.wait_until_ns(101 * MS, 0.3)
    shut_down(memory, process)


def test_arm_accepts_cartesian_targets_only(memory: Path):
    arm_topics.open_state(memory, JOINTS).write(np.zeros((), arm_topics.state_type(JOINTS)))
    arm = ArmClient(memory, JOINTS, VirtualClock(memory, None))
    joints = JointTarget(
        seal=SEAL,
        sequence=1,
        t_robot_ns=0,
        epoch=1,
        valid_until_ns=1,
        position_rad=np.zeros(7),
        gripper=1.0,
        gripper_hold=False,
    )
    with pytest.raises(TypeError, match="CartesianTarget"):
        arm.send(joints)
    assert arm_topics.open_command(memory).count == 0


def test_an_arm_that_never_starts_is_lost(memory: Path):
    with pytest.raises(ArmLost, match="did not start"):
        ArmClient(memory, JOINTS, MonotonicClock(), start_timeout_s=0.1)


def send_for(arm: ArmClient, clock: MonotonicClock, duration_s: float, first: int = 1) -> int:
    """Hold in real time; the last sequence number sent."""
    begin = arm.state()
    end_ns, sequence = clock.now_ns() + round(duration_s * 1e9), first
    while clock.now_ns() < end_ns:
        arm.send(target(sequence, clock.now_ns(), begin.position_m, begin.quaternion_wxyz))
        sequence += 1
        time.sleep(0.005)
    return sequence


def wait_for(condition: Any, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


CONTROL_THAT_DIES = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from hardware import arm_topics
folder = Path(sys.argv[1])
slot, state = arm_topics.open_command(folder), arm_topics.open_state(folder, 7).read()
command = np.zeros((), arm_topics.COMMAND)
command["position"], command["quaternion"] = state["position"], state["quaternion"]
command["clip_m"] = command["clip_rad"] = 0.01
for sequence in range(1, 60):
    command["sequence"] = sequence
    command["t_ns"] = time.monotonic_ns()
    command["valid_until_ns"] = command["t_ns"] + 100_000_000
    slot.write(command)
    time.sleep(0.005)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.fault
@pytest.mark.injects(FaultCode.CONTROL_LOST)
def test_killing_control_brakes_the_arm_and_leaves_it_alive(memory: Path, processes: Any):
    process = processes.start(arm_process.main, hosted(memory, "insert_peg"), PRIORITY)
    arm = ArmClient(memory, JOINTS, MonotonicClock(), requester="supervisor")
    control = subprocess.run([sys.executable, "-c", CONTROL_THAT_DIES, memory], timeout=60)
    assert control.returncode == -signal.SIGKILL
    wait_for(lambda: arm.state().braking)
    record = arm_topics.open_state(memory, JOINTS).read()
    assert int(record["commands"]) > 0, "it was driven before"
    tick = arm.state().tick
    wait_for(lambda: arm.state().tick > tick + 50)
    assert process.is_alive()
    timing = arm_topics.open_timing(memory)
    assert timing.wait_beyond(0, 10.0)
    assert 0.0 < float(timing.read()["real_time_factor"]) <= 1.05
    process.terminate()
    process.join(10.0)
    assert process.exitcode == 0


@pytest.mark.fault
def test_a_frozen_arm_is_lost_and_brakes_when_it_continues(memory: Path, processes: Any):
    process = processes.start(arm_process.main, hosted(memory, "lift_cube"), PRIORITY)
    clock = MonotonicClock()
    arm = ArmClient(memory, JOINTS, clock)
    sequence = send_for(arm, clock, 0.2)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ArmLost, match="silent"):
        wait_for(lambda: arm.state() is None, 5.0)
    time.sleep(0.3)
    begin = arm_topics.open_state(memory, JOINTS).read()
    arm.send(target(sequence, clock.now_ns(), begin["position"], begin["quaternion"]))
    os.kill(process.pid, signal.SIGCONT)
    wait_for(lambda: bool(arm_topics.open_state(memory, JOINTS).read()["braking"]))
    assert b"stood still" in bytes(arm_topics.open_state(memory, JOINTS).read()["fault"])


SUPERVISOR_THAT_DIES = """
import multiprocessing, os, signal, sys
from pathlib import Path
from hardware.arm_client import ArmClient
from hardware.clock import MonotonicClock
from hardware import arm_process
from tests.hardware.conftest import hosted
folder = Path(sys.argv[1])
arguments = (hosted(folder, "lift_cube"), 70)
child = multiprocessing.get_context("spawn").Process(target=arm_process.main, args=arguments)
child.start()
(folder / "arm_pid").write_text(str(child.pid))
ArmClient(folder, 7, MonotonicClock(), requester="supervisor")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.fault
def test_the_arm_ends_when_its_supervisor_is_gone(memory: Path):
    supervisor = subprocess.run([sys.executable, "-c", SUPERVISOR_THAT_DIES, memory], timeout=60)
    assert supervisor.returncode == -signal.SIGKILL
    pid = int((memory / "arm_pid").read_text())

    def gone() -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        except FileNotFoundError:
            return True
        return state == "Z"

    wait_for(gone)
