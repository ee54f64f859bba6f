"""Whether the limits hold whatever is asked: the simulated arm under random, adversarial and
non-finite commands, judged by what the simulator measures.

Gate, the arm's door, its law and MuJoCo in one process, as fast as they go. The run is made of
segments of 30 s of robot time, each with a seed of its own; with --keep a segment's result is
written as it ends, and the next call goes on from there. --without NAME (or `all`) switches one
limiter off: then the run must show it.
"""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from benchmarks import fuzz_scene
from benchmarks.fuzz_cell import PERIOD_NS, FuzzCell
from benchmarks.fuzz_commands import REFUSED, RISK_ALLOWED, SPELLS, Fuzz
from benchmarks.fuzz_measured import BEYOND, SAID, TOLD, Quantity
from benchmarks.fuzz_off import OFF, UNCONTROLLED, Off
from benchmarks.fuzz_scene import FeltPhysics
from benchmarks.measurement import Machine, Result, Spread, Target
from benchmarks.scripted import CELL
from robot_rl.config import load_cell
from robot_rl.daemon.limits import cell_limits
from robot_rl.errors import PlainError
from safety.limits import ArmLimits
from safety.settings import GateSettings
from safety.vocabulary import ONLY_ARM, Limit, Reject

SEGMENT_S = 30.0
SEED = 20_261_127
ENOUGH = 100
"""So often each limiter must have acted."""
LIMITERS = tuple(
    str(limit.name)
    for limit in Limit
    if limit not in (Limit.FORCE, Limit.BRAKE)  # the recorder's, and the arm's own
)
REJECTS = tuple(reject.value for reject in Reject if reject is not Reject.NONE)
ROOT = Path(__file__).resolve().parents[1]


class Segment(BaseModel):
    """One line of the file of results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str  # of what was tested; lines of other code are left alone and not counted
    seed: int
    seconds: float
    commands: int
    refused: int  # at the arm's own door
    worst: dict[str, tuple[float, float, int]]  # ratio, value, step of the engine
    beyond: dict[str, int]  # steps
    limits: dict[str, int]
    rejects: dict[str, int]
    braked: dict[str, int]
    spells: dict[str, int]
    impact_n: float
    impact: tuple[float, float, float]  # speed m/s, mass kg, bound N, there
    ticks_per_s: float


def run(
    *, quick: bool = False, hours: float = 2.0, keep: str | None = None, without: str | None = None
) -> Result:
    """The fuzz run, or its positive controls."""
    machine = Machine.here()
    stated = cell_limits(load_cell(CELL).arms[ONLY_ARM])
    physics = fuzz_scene.build(stated)
    if without is not None:
        return _controls(machine, physics, stated, without)
    seconds, count = (10.0, 2) if quick else (SEGMENT_S, max(1, round(hours * 3600 / SEGMENT_S)))
    code, file = _code(), None if keep is None else Path(keep)
    done = {} if file is None else _kept(file, code, seconds)
    for seed in range(count):
        if seed in done:
            continue
        done[seed] = segment(physics, stated, seed, seconds, code=code)
        if file is not None:
            with file.open("a") as lines:  # begun anew: a line before may have been cut off
                lines.write("\n" + done[seed].model_dump_json() + "\n")
    return _result(machine, [done[seed] for seed in range(count)], counts=not quick)


def segment(
    physics: FeltPhysics,
    stated: ArmLimits,
    seed: int,
    seconds: float,
    *,
    code: str = "",
    off: Off | None = None,
) -> Segment:
    """One segment."""
    fuzz = begun(physics, stated, seed, off)
    return _driven(fuzz, seed, seconds, code, off.spells if off is not None else ())


def begun(physics: FeltPhysics, stated: ArmLimits, seed: int, off: Off | None = None) -> Fuzz:
    """A segment before its first tick. Raises LimitError where the limits left are none."""
    limits, settings = stated, GateSettings(period_s=PERIOD_NS * 1e-9, risk_threshold=RISK_ALLOWED)
    if off is not None:
        limits, settings = off.limits(limits), off.settings(settings)
    cell = FuzzCell(physics, stated, limits, settings, seed)
    reasons = off.reasons if off is not None and off.reasons else REFUSED
    return Fuzz(cell, np.random.default_rng([SEED, seed]), reasons=reasons)


def _driven(
    fuzz: Fuzz, seed: int, seconds: float, code: str = "", spells: tuple[str, ...] = ()
) -> Segment:
    began = time.perf_counter()
    fuzz.run(seconds, spells or tuple(SPELLS))
    took_s = time.perf_counter() - began
    seen = fuzz.cell.seen
    return Segment(
        code=code,
        seed=seed,
        seconds=seconds,
        commands=seen.commands,
        refused=seen.refused,
        worst={
            q.name: (float(row[0]), float(row[1]), int(row[2]))
            for q, row in zip(Quantity, seen.worst, strict=True)
            if np.isfinite(row[0]) or row[0] > 0.0
        },
        beyond={q.name: int(row[3]) for q, row in zip(Quantity, seen.worst, strict=True)},
        limits=seen.limits,
        rejects=seen.rejects,
        braked=seen.braked,
        spells=fuzz.told,
        impact_n=seen.impact_n,
        impact=seen.impact,
        ticks_per_s=seen.commands / took_s,
    )


def _controls(machine: Machine, physics: FeltPhysics, stated: ArmLimits, without: str) -> Result:
    """Segments of 10 s, until it is seen, at most 20."""
    names = tuple(OFF) if without == "all" else (without,)
    for name in names:
        if name not in OFF:
            why = f" (nothing is seen: {UNCONTROLLED[name]})" if name in UNCONTROLLED else ""
            raise PlainError(
                f"bench fuzz: there is no limiter {name!r}{why}; choose all or one of: "
                f"{', '.join(OFF)}"
            )
    targets: list[Target] = []
    for name in names:
        ratio, shown = shown_without(physics, stated, OFF[name])
        called = f"without {name}: {SAID[shown]}"
        targets.append(Target(name=called, value=ratio, unit="×", op=">=", target=BEYOND))
    detail: dict[str, Spread | float | int | str] = {"load after": os.getloadavg()[0]}
    return Result(bench="fuzz", machine=machine, targets=tuple(targets), detail=detail)


def shown_without(
    physics: FeltPhysics, stated: ArmLimits, off: Off, segments: int = 20
) -> tuple[float, Quantity]:
    """The greatest ratio seen with a limiter off, and of what. An error of the gate shows nothing:
    it is not caught.
    """
    best, shown = 0.0, off.shown_by[0]
    with off.applied():
        for seed in range(segments):
            fuzz = begun(physics, stated, seed, off)
            found = _driven(fuzz, seed, 10.0, spells=off.spells)
            for quantity in off.shown_by:
                ratio = found.worst.get(quantity.name, (0.0, 0.0, 0))[0]
                if ratio > best:
                    best, shown = min(ratio, 1e9), quantity
            if best > BEYOND:
                break
    return best, shown


def _result(machine: Machine, segments: list[Segment], *, counts: bool) -> Result:
    targets: list[Target] = []
    detail: dict[str, Spread | float | int | str] = {}
    for quantity in Quantity:
        looked = [s for s in segments if quantity.name in s.worst]
        if not looked:
            continue
        at = max(looked, key=lambda s: s.worst[quantity.name][0])
        ratio, value, step = at.worst[quantity.name]
        name = f"{SAID[quantity]}, worst"
        if quantity not in TOLD:
            targets.append(Target(name=name, value=ratio, unit="×", op="<=", target=BEYOND))
        beyond = sum(s.beyond[quantity.name] for s in segments)
        detail[SAID[quantity]] = f"{value:.4g} in seed {at.seed}, step {step}; beyond: {beyond}"
    limits, rejects = _sum(s.limits for s in segments), _sum(s.rejects for s in segments)
    if counts:
        acted = {name: limits[name] for name in LIMITERS} | {r: rejects[r] for r in REJECTS}
        for name, times in acted.items():
            called = f"ticks in which {name} acted"
            targets.append(Target(name=called, value=times, unit="", op=">=", target=ENOUGH))
    hit = max(segments, key=lambda s: s.impact_n)
    speed, mass, bound = hit.impact
    return Result(
        bench="fuzz",
        machine=machine,
        targets=tuple(targets),
        detail=detail
        | {
            "simulated hours": sum(s.seconds for s in segments) / 3600,
            "commands": sum(s.commands for s in segments),
            "refused at the arm's door": sum(s.refused for s in segments),
            "hardest impact": f"{hit.impact_n:.0f} N at {speed:.2f} m/s with {mass:.1f} kg, "
            f"bound {bound:.0f} N",
            "stopped itself, by first word of why": str(dict(_sum(s.braked for s in segments))),
            "spells": str(dict(_sum(s.spells for s in segments))),
            "ticks a second": Spread.of([s.ticks_per_s for s in segments]),
            "load after": os.getloadavg()[0],
        },
    )


def _sum(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def _kept(file: Path, code: str, seconds: float) -> dict[int, Segment]:
    if not file.exists():
        return {}
    lines = file.read_text().splitlines()
    # The last one may have been cut off as it was written.
    whole = [line for line in lines if line.endswith("}")]
    found = [Segment.model_validate_json(line) for line in whole]
    return {s.seed: s for s in found if s.code == code and s.seconds == seconds}


def _code() -> str:
    """Of everything that decides a result."""
    files = [*sorted((ROOT / "safety").glob("*.py")), *sorted((ROOT / "hardware/sim").glob("*.py"))]
    files += [ROOT / "hardware/arm_guard.py", *sorted((ROOT / "benchmarks").glob("fuzz*.py"))]
    files += [ROOT / "cells/simulation.toml"]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
