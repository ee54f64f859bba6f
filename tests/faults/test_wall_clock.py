"""The wall clock is set by an hour (fault 22): control, on the monotonic clock, does not notice.

A small library in front of the C library sets it for one process. The same drive is played in that
process twice, once with jumps; what control commands and what the arm does must be the same bits.
"""

import datetime
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from benchmarks import wall_clock
from hardware.clock import MonotonicClock
from safety.faults import FaultCode
from tests.faults.cell import FAST, FaultCell
from tests.faults.conftest import MakeCell

HOUR_NS = 3600 * 10**9
ROOT = Path(__file__).resolve().parents[2]


def set_wall_clock(seconds: int) -> None:
    """Of this process, which runs behind the shim; it must be seen to have moved."""
    before = time.time(), datetime.datetime.now(datetime.UTC).timestamp(), time.monotonic()
    moved_s = seconds - _moved.get("s", 0)
    wall_clock.opened().set(seconds)
    _moved["s"] = seconds
    after = time.time(), datetime.datetime.now(datetime.UTC).timestamp(), time.monotonic()
    moved = [b - a for a, b in zip(before, after, strict=True)]
    assert all(abs(each - moved_s) < 60 for each in moved[:2]), moved
    assert moved[2] < 60, "the monotonic clock is not the wall clock"


_moved: dict[str, int] = {}


def drive(folder: Path, *hours: int) -> str:
    """A person drives, the policy drives, the line is lost; a hash of all commands and states.

    The wall clock is set to these `hours` one after the other, a quarter of a second apart.
    """
    cell = FaultCell(folder)
    digest, jumps = hashlib.sha256(), list(hours)

    def look(now_ns: int) -> None:
        digest.update(cell.command.read().tobytes() + cell.arm.read().tobytes())
        if jumps and now_ns % 250_000_000 == 0:
            set_wall_clock(3600 * jumps.pop(0))

    cell.moved.append(look)
    cell.run(100)
    cell.take_over()
    cell.drive_for(600, axes=FAST)
    cell.run(700)  # silence: hold, then paused
    assert cell.mode == "paused"
    cell.rest()
    cell.policy_drives(actions=6)
    cell.run(600)
    assert cell.mode == "autonomous", cell.cause
    assert not jumps
    cell.end()
    return digest.hexdigest()


def main() -> None:
    """In the process behind the shim."""
    with tempfile.TemporaryDirectory() as name:
        for number in (0, 1):
            (Path(name) / str(number)).mkdir()
        undisturbed = drive(Path(name) / "0")
        disturbed = drive(Path(name) / "1", 1, 0, -1, 1, -1, 0)
        assert undisturbed == disturbed, "a jump of the wall clock changed what control commands"
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    set_wall_clock(3600)
    assert 0 <= clock.now_ns() - began_ns < 60 * 10**9
    assert clock.wait_until_ns(clock.now_ns() + 1_000_000)
    set_wall_clock(-3600)
    assert clock.wait_until_ns(clock.now_ns() + 1_000_000), "it waits for an hour"
    print("the same")


@pytest.mark.injects(FaultCode.WALL_CLOCK_JUMP)
def test_control_does_the_same_while_the_wall_clock_jumps_by_an_hour(tmp_path: Path) -> None:
    behind = wall_clock.environment(tmp_path)
    if behind is None:
        pytest.skip("no C compiler, to put a library in front of the clock")
    program = "from tests.faults.test_wall_clock import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **behind, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "the same"


@pytest.mark.unprotected(FaultCode.WALL_CLOCK_JUMP)
def test_control_a_robot_that_lived_by_the_wall_clock_would_stop(make_cell: MakeCell) -> None:
    cell = make_cell()
    cell.policy_drives(actions=20)
    now_ns = cell.hand_clock.now_ns
    cell.hand_clock.now_ns = lambda: now_ns() + HOUR_NS  # of control; the arm has its own
    cell.run(300)
    assert cell.mode == "fault"
    assert cell.host.guarded.arm.braking
