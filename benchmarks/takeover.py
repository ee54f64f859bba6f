"""A takeover over a network: how soon an input moves the reference (`benchmarks/reactions.py`), and
whether a change of driver bumps, free and pressing the peg on its board, on an idle machine and
beside two busy processes (`benchmarks/bumps.py`).
"""

import math
import os
import tempfile
from pathlib import Path

from benchmarks.bumps import FREE, PRESSING, bumps
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.reactions import reactions

ROUND_TRIPS_MS = (0, 60, 120, 200, 290)
INPUTS, CHANGES = 40, 5  # for each round trip; of each kind, for each load
REACTION_MS = 40.0
JUMP_MM, JUMP_DEG, TORQUE_STEP_NM_MS = 1.0, 0.5, 1.0


def run(*, quick: bool = False, repeats: int | None = None) -> Result:
    """`repeats`: inputs for each round trip, and changes of each kind and load."""
    inputs, changes = repeats or (3 if quick else INPUTS), repeats or (1 if quick else CHANGES)
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    trips = (0, 200) if quick else ROUND_TRIPS_MS
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        answers = reactions(Path(folder), trips, inputs)
    changed = {
        (where, load): bumps(task, changes, load=load)
        for load in (False, True)
        for where, task in (("free", FREE), ("pressing", PRESSING))
    }
    targets = [
        Target(
            name=f"input → reference beyond the network, {trip} ms, p95",
            value=found.spread.p95 if found.took_ms else math.inf,
            unit="ms",
            op="<=",
            target=REACTION_MS,
        )
        for trip, found in answers.items()
    ]
    detail: dict[str, Spread | float | int | str] = {}
    for trip, found in answers.items():
        if found.took_ms:
            detail[f"{trip} ms: input → reference beyond the network, ms"] = found.spread
        detail[f"{trip} ms: takeovers asked for"] = found.asked
        detail[f"{trip} ms: inputs without an answer"] = found.lost
    for (where, load), found in changed.items():
        what = f"{where}, {'beside two busy processes' if load else 'nothing added'}"
        for name, values, limit, unit in (
            ("jump", found.jump_mm, JUMP_MM, "mm"),
            ("turn", found.jump_deg, JUMP_DEG, "deg"),
            ("torque", found.torque_nm_ms, TORQUE_STEP_NM_MS * (1 + 1e-9), "Nm/ms"),
        ):
            worst = max(values, default=math.inf)
            targets.append(
                Target(name=f"{what}: {name}", value=worst, unit=unit, op="<=", target=limit)
            )
        detail[f"{what}: jump, mm"] = Spread.of(found.jump_mm)
        detail[f"{what}: torque, Nm/ms"] = Spread.of(found.torque_nm_ms)
        detail[f"{what}: force at the change, N"] = Spread.of(found.force_n)
        detail[f"{what}: changes measured"] = len(found.jump_mm)
        detail[f"{what}: jump by control's own account, largest, mm"] = found.told_mm
        detail[f"{what}: commands not seen"] = found.unseen
        detail[f"{what}: trials spoilt"] = found.spoilt
    detail |= {"load at the end, 1 min": os.getloadavg()[0], "noise before, µs": noise}
    return Result(bench="takeover", machine=machine, targets=tuple(targets), detail=detail)
