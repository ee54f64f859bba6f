"""Faults of what a policy or a person says: commands of another epoch."""

import itertools
import time

import numpy as np

from benchmarks.fault_cell import FAST, FaultCell, eventually
from benchmarks.fault_trial import Figure, Row, Spoilt
from robot_rl.daemon import messages
from robot_rl.schema.live.client_message import Takeover
from safety.faults import FAULTS, FaultCode

FULL = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
MOVED_M_S = 0.005
"""A reference that goes faster is moved by somebody."""
_WINDOW_S = 0.3


def _old_epoch(cell: FaultCell) -> tuple[float, ...]:
    """A chunk of the mode's epoch before, then drives of the lease's epoch before. That the same of
    the present one does move the arm shows that they were valid otherwise.
    """
    idle = int(cell.control.read()["epoch"])
    cell.send("intents", messages.BeginAutonomy())
    eventually(lambda: cell.mode == "autonomous", "no autonomy", 3.0)
    present = int(cell.control.read()["epoch"])
    cell.offer([FULL] * 8, epoch=idle)
    cell.looks.watch(_WINDOW_S)
    ticks = driven_ticks(cell)
    cell.offer([FULL] * 3, epoch=present)
    cell.looks.watch(_WINDOW_S)
    if not driven_ticks(cell):
        raise Spoilt("a chunk of the present epoch moved nothing")
    cell.send("intents", messages.EndMotion(reason="the trial's second half"))
    hand = cell.hand
    cell.hold_lease()
    hand.dead_man = True
    time.sleep(0.1)
    cell.ask(Takeover, device="keyboard")
    eventually(lambda: cell.mode == "takeover", "no takeover", 3.0)
    time.sleep(0.2)  # the reference has decayed to the measured pose
    hand.epochs_behind, hand.axes = 1, FAST
    cell.looks.watch(_WINDOW_S)
    return (float(ticks + driven_ticks(cell)),)


def driven_ticks(cell: FaultCell) -> int:
    """Ticks of the last look in which the reference was moved."""
    period_s = cell.settings.control_period_ns * 1e-9
    steps = [
        np.linalg.norm(b.position_m - a.position_m) / period_s
        for run in cell.looks.runs()
        for a, b in itertools.pairwise(run)
    ]
    return int(np.count_nonzero(np.array(steps) > MOVED_M_S))


_TICKS = FAULTS[FaultCode.OLD_EPOCH].bound
assert _TICKS is not None

ROWS = {
    FaultCode.OLD_EPOCH: Row(
        trial=_old_epoch,
        figures=(
            Figure(what="moved by what is of an old epoch", unit="ticks", bound=_TICKS.count),
        ),
    ),
}
