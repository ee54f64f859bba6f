"""Every row of the fault table, injected into a running cell again and again: does it hold?

The simulated cell runs in real time: arm and control are processes of their own, killed, stopped
and continued by signals. A hold is when the TCP that the simulator measures is slower than 5 mm/s
and stays so. A bound in time is the one of `safety/faults.py`; what else a row requires is counted.
"""

import os
from collections.abc import Mapping

from benchmarks import (
    faults_answers,
    faults_cameras,
    faults_clock,
    faults_data,
    faults_limits,
    faults_network,
    faults_people,
    faults_policy,
    faults_processes,
)
from benchmarks.fault_cell import fault_cell
from benchmarks.fault_network import network_cell
from benchmarks.fault_recording import recording_cell
from benchmarks.fault_trial import Group, NotHere, Row, attempt
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from robot_rl.errors import PlainError
from safety.faults import FAULTS, FaultCode

REPEATS = 10
_DRIVEN = faults_people.ROWS | faults_processes.ROWS | faults_policy.ROWS | faults_limits.ROWS
_RECORDED = faults_answers.ROWS | faults_cameras.ROWS | faults_data.RECORDED_ROWS
GROUPS = (
    Group(open=fault_cell, rows=_DRIVEN),
    Group(open=recording_cell, rows=_RECORDED),
    Group(open=faults_clock.clock_cell, rows=faults_clock.ROWS),
    Group(open=network_cell, rows=faults_network.ROWS),
    Group(open=faults_data.outboxes, rows=faults_data.OUTBOX_ROWS),
)
type Values = dict[FaultCode, list[tuple[float, ...]]]
"""Of each row the figures of every run."""


def run(*, quick: bool = False, faults: str | None = None, repeats: int | None = None) -> Result:
    """`faults`: numbers of rows, with commas. `repeats`: of each. Raises PlainError."""
    chosen, count = _chosen(faults), repeats or (1 if quick else REPEATS)
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    values: Values = {code: [] for code in chosen}
    missing: dict[FaultCode, str] = {}
    spoilt, gap_ms = 0, 0.0
    for group in GROUPS:
        own = {code: row for code, row in group.rows.items() if code in values}
        if own:
            try:
                failed, gap = measure(group, own, count, values)
            except NotHere as problem:
                missing |= dict.fromkeys(own, str(problem))
            else:
                spoilt, gap_ms = spoilt + failed, max(gap_ms, gap)
    detail, targets = _told(values, missing)
    detail |= {
        "trials that a busy machine spoilt before their fault": spoilt,
        "longest time between two looks at the arm, ms": gap_ms,
        "load at the end, 1 min": os.getloadavg()[0],
        "noise before: processor taken away, µs": noise,
    }
    return Result(bench="faults", machine=machine, targets=tuple(targets), detail=detail)


def measure(
    group: Group, rows: Mapping[FaultCode, Row], count: int, values: Values
) -> tuple[int, float]:
    """Fill `values`; how many trials were spoilt, and the longest time between two looks, ms."""
    spoilt, gap_ms = 0, 0.0
    with group.open() as cell:
        for _ in range(count):  # row by row in turn: what else the machine does meets all of them
            for code, row in rows.items():
                figures, failed = attempt(cell, row)
                spoilt += failed
                if figures is not None:
                    values[code].append(figures)
                    gap_ms = max(gap_ms, cell.gap_ms())
    return spoilt, gap_ms


def rows() -> dict[FaultCode, Row]:
    """All that can be measured, in the order of the table."""
    known = {code: row for group in GROUPS for code, row in group.rows.items()}
    return {code: known[code] for code in FAULTS if code in known}


def _told(
    values: Values, missing: Mapping[FaultCode, str]
) -> tuple[dict[str, Spread | float | int | str], list[Target]]:
    """Of every row its figures, whether it held in every run, and its worst run as a target."""
    detail: dict[str, Spread | float | int | str] = {}
    targets: list[Target] = []
    for code, row in rows().items():
        if code not in values:
            continue
        name, runs = f"{FAULTS[code].number} {code}", values[code]
        if not runs:
            why = missing.get(code, "every trial was spoilt")
            detail[f"{name}: held"] = f"not measured: {why}"
            continue
        for figure, column in zip(row.figures, map(list, zip(*runs, strict=True)), strict=True):
            unit = f", {figure.unit}" if figure.unit else ""
            detail[f"{name}: {figure.what}{unit}"] = Spread.of(column)
            targets.append(figure.target(f"{name}: {figure.what}, worst", figure.worst(column)))
        held = sum(
            all(figure.holds(value) for figure, value in zip(row.figures, each, strict=True))
            for each in runs
        )
        verdict = "held" if held == len(runs) else "not held"
        detail[f"{name}: held"] = f"{verdict}, in {held} of {len(runs)} runs"
    return detail, targets


def _chosen(faults: str | None) -> list[FaultCode]:
    numbers = {str(FAULTS[code].number): code for code in rows()}
    if faults is None:
        return list(numbers.values())
    wanted = [each.strip() for each in faults.split(",") if each.strip()]
    for each in wanted:
        if each not in numbers:
            raise PlainError(f"fault {each!r} cannot be timed; choose from: {', '.join(numbers)}")
    return [numbers[each] for each in wanted]
