"""What every benchmark reports: targets with their measured value, spread, noise and machine.

A benchmark measures and prints. It never hides a miss, and a figure without its spread is none.
"""

import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Message):
    """Of repeated measurements of one thing, in the unit of its target."""

    p50: float
    p95: float
    p99: float
    largest: float
    repeats: int

    @classmethod
    def of(cls, values: list[float]) -> Self:
        ordered = sorted(values)

        def at(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return cls(
            p50=statistics.median(ordered),
            p95=at(0.95),
            p99=at(0.99),
            largest=ordered[-1],
            repeats=len(ordered),
        )


class Target(_Message):
    """A measured value beside what it should be."""

    name: str
    value: float
    unit: str
    op: Literal["<=", ">=", "=="]
    target: float

    @property
    def met(self) -> bool:
        match self.op:
            case "<=":
                return self.value <= self.target
            case ">=":
                return self.value >= self.target
            case "==":
                return self.value == self.target


class Machine(_Message):
    """Where it was measured, and how busy it was when the benchmark began."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    load_1_min: float

    @classmethod
    def here(cls) -> Self:
        names = re.findall(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
        total = re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo"))
        return cls(
            processor=names[0] if names else platform.processor() or platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(int(total[1]) / 2**20, 1) if total else 0.0,
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            load_1_min=os.getloadavg()[0],
        )


class Result(_Message):
    """`bench NAME --json` ends with this on one line."""

    bench: str
    machine: Machine
    targets: tuple[Target, ...]
    detail: dict[str, Spread | float | int | str]


def time_us(work: Callable[[], object], repeats: int, *, warm_up: int = 50) -> list[float]:
    """How long each call takes, µs."""
    for _ in range(warm_up):
        work()
    durations: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        work()
        durations.append((time.perf_counter_ns() - began) * 1e-3)
    return durations


def noise_us(seconds: float = 0.5) -> Spread:
    """How long this machine takes the processor away: gaps between readings of the clock, µs.

    Only gaps over 10 µs count; p50 of them says how long one is, `repeats` how many there were.
    """
    gaps: list[float] = []
    last = time.perf_counter_ns()
    end = last + int(seconds * 1e9)
    while last < end:
        now = time.perf_counter_ns()
        if now - last > 10_000:
            gaps.append((now - last) * 1e-3)
        last = now
    if not gaps:
        return Spread(p50=0.0, p95=0.0, p99=0.0, largest=0.0, repeats=0)
    return Spread.of(gaps)


def as_text(result: Result) -> str:
    """For people: every target with met or MISSED, then what lies behind."""
    machine = result.machine
    lines = [
        f"bench {result.bench} on {machine.processor}, {machine.cores} cores, "
        f"load {machine.load_1_min:.1f}, Python {machine.python}"
    ]
    for target in result.targets:
        verdict = "met   " if target.met else "MISSED"
        lines.append(
            f"  {verdict} {target.name:<40} {target.value:>12.4g} {target.unit:<12} "
            f"{target.op} {target.target:g}"
        )
    for name, value in result.detail.items():
        lines.append(f"         {name:<40} {_shown(value)}")
    return "\n".join(lines)


def as_line(result: Result) -> str:
    """For scripts."""
    return result.model_dump_json()


def _shown(value: Spread | float | int | str) -> str:
    if isinstance(value, Spread):
        return (
            f"p50 {value.p50:.4g}  p95 {value.p95:.4g}  p99 {value.p99:.4g}  "
            f"max {value.largest:.4g}  n {value.repeats}"
        )
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
