"""How fast virtual time runs: frozen evaluation episodes in lock-step, with the whole system.

Starting the system is not in it. The operator is this process: it resets, starts and labels, and
drives nothing. Each repeat runs the same seeds.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.scripted import scripted
from robot_rl.config import load_task
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.schema.episode import Purpose

TASK = "lift_cube"
FACTOR = 5.0
"""Virtual seconds per second: a cell of a study of 130 episodes then takes five minutes."""
CPU_S = 0.4  # per virtual second: what two cores can give at that factor
OPERATOR = "operator"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def run(*, quick: bool = False) -> Result:
    """One system, a warm-up episode, then the same episodes several times."""
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    episodes, repeats = (1, 1) if quick else (8, 5)
    seeds = np.random.default_rng(0).integers(0, 2**31, episodes).tolist()
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        spans = _spans(Path(folder), seeds, repeats)
    total = Spread.of([sum(span.cpu_s.values()) / span.virtual_s for span in spans])
    factor = Spread.of([span.virtual_s / span.wall_s for span in spans])
    parts = sorted({part for span in spans for part in span.cpu_s})
    return Result(
        bench="lockstep",
        machine=machine,
        targets=(
            _target("virtual seconds per second, p50", factor.p50, "s/s", ">=", FACTOR),
            _target("processor time per virtual second, p50", total.p50, "s/s", "<=", CPU_S),
        ),
        detail={
            "task": TASK,
            "virtual seconds per second": factor,
            "processor time per virtual second, s": total,
            **{
                f"processor time of {part} per virtual second, s": Spread.of(
                    [span.cpu_s.get(part, 0.0) / span.virtual_s for span in spans]
                )
                for part in parts
            },
            "virtual seconds of a repeat": Spread.of([span.virtual_s for span in spans]),
            "steps of a repeat": Spread.of([span.steps for span in spans]),
            "noise before: processor taken away, µs": noise,
            "load after": os.getloadavg()[0],
        },
    )


def _target(name: str, value: float, unit: str, op: str, target: float) -> Target:
    return Target.model_validate(
        {"name": name, "value": value, "unit": unit, "op": op, "target": target}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instant:
    """Where wall time, virtual time and the processor time of every part stand."""

    wall_s: float
    virtual_s: float
    steps: int
    cpu_s: dict[str, float]

    @classmethod
    def now(cls, pilot: Pilot, data: Path) -> Self:
        telemetry = pilot.seen.telemetry
        assert telemetry is not None  # it has joined
        return cls(
            wall_s=time.monotonic(),
            virtual_s=telemetry.t_ns * 1e-9,
            steps=telemetry.outbox.recorded_steps,
            cpu_s=_cpu_s(data),
        )

    def since(self, before: Self) -> Self:
        return type(self)(
            wall_s=self.wall_s - before.wall_s,
            virtual_s=self.virtual_s - before.virtual_s,
            steps=self.steps - before.steps,
            cpu_s={part: used - before.cpu_s.get(part, 0.0) for part, used in self.cpu_s.items()},
        )


def _spans(data: Path, seeds: list[int], repeats: int) -> list[_Instant]:
    with scripted(load_task(TASK), data) as (system, pilot):
        pilot.run(_frozen(seeds[0]), system.check)
        spans: list[_Instant] = []
        for _ in range(repeats):
            before = _Instant.now(pilot, data)
            for seed in seeds:
                pilot.run(_frozen(seed), system.check)
            spans.append(_Instant.now(pilot, data).since(before))
    return spans


def _frozen(seed: int) -> EpisodePlan:
    return EpisodePlan(purpose=Purpose.EVALUATION, seed=seed)


def _cpu_s(data: Path) -> dict[str, float]:
    """Part → processor time so far of this process, all that it has started, and its database,
    which is nobody's child.
    """
    found = dict(_processes())
    database = next((int(file.read_text().split()[0]) for file in data.rglob("postmaster.pid")), -1)
    cpu_s: dict[str, float] = {}
    for pid, (name, parent, used_s) in found.items():
        part = _part(pid, name, parent, found, database)
        if part:
            cpu_s[part] = cpu_s.get(part, 0.0) + used_s
    return cpu_s


def _part(
    pid: int,
    name: str,
    parent: int,
    found: dict[int, tuple[str, int, float]],
    database: int,
) -> str | None:
    """Which part a process belongs to; None: it is none of ours."""
    ancestors = [pid]
    while parent in found and parent != 0:
        ancestors.append(parent)
        parent = found[parent][1]
    if database in ancestors:
        return "database"
    if os.getpid() not in ancestors:
        return None
    if pid == os.getpid():
        return OPERATOR
    if name.startswith("robot-"):
        return name.removeprefix("robot-")
    return _command(pid)


def _processes() -> list[tuple[int, tuple[str, int, float]]]:
    """(pid, (name, parent, processor time s)) of all there are."""
    found: list[tuple[int, tuple[str, int, float]]] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue  # it has ended meanwhile
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()  # from the state, field 3 of proc(5)
        used_s = (int(fields[11]) + int(fields[12])) * _TICK_S
        found.append((int(folder.name), (name, int(fields[1]), used_s)))
    return found


def _command(pid: int) -> str:
    """`server`, `daemon` or `learner`, as the command line names it."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return "ended"
    return next((word for word in words if word in ("server", "daemon", "learner")), "other")
