"""Faults of cameras: one is unplugged, or delivers the same frame again and again."""

import time

from benchmarks.fault_actor import Says
from benchmarks.fault_looks import MS
from benchmarks.fault_recording import RecordingCell
from benchmarks.fault_trial import Row, none, within
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode

CAMERA = "wrist"


def _camera_lost(cell: RecordingCell) -> tuple[float, ...]:
    return _blind(cell, sticks=False)


def _camera_repeats(cell: RecordingCell) -> tuple[float, ...]:
    return _blind(cell, sticks=True)


def _blind(cell: RecordingCell, *, sticks: bool) -> tuple[float, float]:
    """The policy plans two seconds ahead. From when the newest frame is too old until the TCP
    rests; and steps after that which do not say so.
    """
    cell.run_episode(Says.FAR_AHEAD)
    cell.recorded()
    camera = cell.cameras[CAMERA]
    camera.sticks, camera.plugged = sticks, sticks
    time.sleep(0.04)  # a frame that was under way has come
    assert camera.newest is not None
    stale_ns = round(cell.settings.cell.stale_camera_s * 1e9)
    old_ns = camera.newest.capture_ns + stale_ns
    cell.watch(0.9)
    took_ms = cell.hold_ms(old_ns)
    cell.says.value = Says.STILL
    until_ns = time.monotonic_ns()
    cell.ready()
    time.sleep(0.3)  # the last row is on the disk
    steps = [row.step for row in cell.recorded() if isinstance(row, RecordedStep)]
    blind = [step for step in steps if old_ns < step.t_robot_ns < until_ns - 100 * MS]
    unmarked = sum(CAMERA not in step.stale_cameras for step in blind)
    return took_ms, float(unmarked if blind else float("inf"))


ROWS = {
    FaultCode.CAMERA_LOST: Row(
        trial=_camera_lost,
        figures=(
            within(FaultCode.CAMERA_LOST, "newest frame older than 200 ms → TCP rests"),
            none("steps after that which do not name the camera"),
        ),
    ),
    FaultCode.CAMERA_REPEATS: Row(
        trial=_camera_repeats,
        figures=(
            within(FaultCode.CAMERA_REPEATS, "newest frame older than 200 ms → TCP rests"),
            none("steps after that which do not name the camera"),
        ),
    ),
}
