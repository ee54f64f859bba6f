"""The wall clock jumps by an hour, for the processes of arm and control."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import wall_clock
from benchmarks.fault_cell import FaultCell, eventually
from benchmarks.fault_trial import Figure, NotHere, Row, Spoilt, none
from benchmarks.wall_clock import WallClock
from robot_rl.config import load_task
from robot_rl.config.task import Task
from robot_rl.daemon import messages
from safety.faults import FaultCode

HOUR_S = 3600
JUMPS = (1, 0, -1, 1, -1, 0)
"""To so many hours before or behind, one after the other."""
LOOK_S, EVERY_S = 1.0, 0.15
SLOWLY, MOVES_M_S = (0.0, 0.3, 0.0), 0.05
MORE_MS = 0.5
"""As for a full disk: a tenth of a period."""
MORE_MM_S = 1.0


class ClockCell(FaultCell):
    """Arm and control live by a wall clock that can be set."""

    def __init__(self, folder: Path, task: Task, clock: WallClock) -> None:
        super().__init__(folder, task)
        self.clock = clock

    def rest(self) -> None:
        self.clock.set(0)
        super().rest()


@contextmanager
def clock_cell() -> Iterator[ClockCell]:
    """Raises NotHere."""
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        behind = wall_clock.environment(Path(name))
        if behind is None:
            raise NotHere("there is no C compiler, to put a library in front of the clock")
        cell = ClockCell(Path(name), load_task("lift_cube"), WallClock(Path(name) / "wall"))
        os.environ.update(behind)
        try:
            cell.start()
        finally:
            for variable in behind:
                del os.environ[variable]
        try:
            yield cell
        finally:
            cell.end()


def _wall_clock_jump(cell: ClockCell) -> tuple[float, ...]:
    """The policy drives slowly for a second, and for another one in which the clock jumps."""
    cell.start_policy(3, SLOWLY)
    cell.send("intents", messages.BeginAutonomy())
    eventually(lambda: cell.mode == "autonomous", "no autonomy", 5.0)
    eventually(lambda: cell.speed_m_s() > MOVES_M_S, "it does not move", 10.0)
    time.sleep(0.3)
    cell.looks.watch(LOOK_S)
    quiet = changes(cell)
    begin_s, jumps = time.monotonic(), list(JUMPS)

    def jump() -> bool:
        due = len(JUMPS) - len(jumps)
        if jumps and time.monotonic() - begin_s > due * EVERY_S:
            cell.clock.set(HOUR_S * jumps.pop(0))
        return cell.mode != "autonomous"

    stopped = cell.looks.watch(LOOK_S, jump)
    jumping = changes(cell)
    held = sum(command.hold for command in cell.looks.commands)
    cell.end_policy()
    return float(bool(stopped) + held), jumping[0] - quiet[0], jumping[1] - quiet[1]


def changes(cell: ClockCell) -> tuple[float, float]:
    """Jitter of control's ticks, p99, ms; the largest change of the reference's speed, mm/s."""
    period_s = cell.settings.control_period_ns * 1e-9
    moved = [
        (c.position_m - 2 * b.position_m + a.position_m) / period_s
        for run in cell.looks.runs()
        for (a, b), (_, c) in pairwise(pairwise(run))
    ]
    if not moved:
        raise Spoilt("control was not seen")
    largest = float(np.linalg.norm(moved, axis=1).max()) * 1e3
    return cell.looks.jitter_ms(cell.settings.control_period_ns), largest


ROWS = {
    FaultCode.WALL_CLOCK_JUMP: Row(
        trial=_wall_clock_jump,
        figures=(
            none("ticks that held, and changes of the mode, while it jumped"),
            Figure(what="p99 of control's jitter, jumping less before", unit="ms", bound=MORE_MS),
            Figure(
                what="largest change of the reference's speed in a tick, jumping less before",
                unit="mm/s",
                bound=MORE_MM_S,
            ),
        ),
    ),
}
