"""What a limit profile does to contact and speed: the same task with and without "fragile".

Whole systems in lock-step, the same seeds: the task's starting policy in evaluation episodes, and
the scripted person in demonstrations. Force and speed are those of the recorded steps, as the
simulator measured them, so what happens between two steps (0.1 s) is not seen. A profile bounds the
force at rest and the speed; an impact is shown beside them and has no bound but the speed.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.scripted import CELL, recorded, scripted
from robot_rl.config import Task, load_cell, load_task
from robot_rl.config.document import read_toml
from robot_rl.daemon.limits import selectable_profiles
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.operator import OperatorSettings
from robot_rl.rehearsal.pilot import EpisodePlan
from robot_rl.rehearsal.record import steps_sha256
from robot_rl.schema.episode import Purpose
from robot_rl.schema.step import Step
from safety.standstill import at_rest
from safety.vocabulary import ONLY_ARM

PROFILE = "fragile"
TASKS = ("insert_peg", "lift_cube")
WHO = {Purpose.EVALUATION: "policy", Purpose.DEMONSTRATION: "person"}


@dataclass(slots=True)
class _Measured:
    """Of the steps of one task's episodes, driven by policy or person."""

    force_n: list[float] = field(default_factory=list[float])
    axis_n: list[float] = field(default_factory=list[float])  # of the strongest axis
    speed_m_s: list[float] = field(default_factory=list[float])
    rest_n: list[float] = field(default_factory=lambda: [0.0])  # of the strongest axis, at rest
    episodes: int = 0
    successes: int = 0
    under_profile: int = 0  # steps in which the profile was active

    def add(self, step: Step) -> None:
        arm = step.arms[ONLY_ARM]
        force = np.array(arm.wrench[:3])
        self.force_n.append(float(np.linalg.norm(force)))
        self.axis_n.append(float(np.abs(force).max()))
        self.speed_m_s.append(float(np.linalg.norm(arm.tcp_twist[:3])))
        if at_rest(self.speed_m_s[-1]):
            self.rest_n.append(self.axis_n[-1])
        self.under_profile += PROFILE in step.limit_profiles


type _Side = dict[Purpose, _Measured]


def run(*, quick: bool = False) -> Result:
    """Both tasks, each in two systems: as their files say, and with the profile."""
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    seeds = np.random.default_rng(0).integers(0, 2**31, 1 if quick else 4).tolist()
    targets: list[Target] = []
    detail: dict[str, Spread | float | int | str] = {"profile": PROFILE, "episodes": len(seeds)}
    for name in TASKS[:1] if quick else TASKS:
        with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
            without = _measure(load_task(name), Path(folder) / "without", seeds)
            task = _with_profile(load_task(name), Path(folder))
            tight = _measure(task, Path(folder) / "with", seeds)
        (bound,) = (p for p in selectable_profiles(load_cell(CELL), task) if p.name == PROFILE)
        assert bound.speed_m_s is not None
        assert bound.force_n is not None
        for purpose, who in WHO.items():
            called, before, after = f"{name}, {who}", without[purpose], tight[purpose]
            force, speed = bound.force_n, bound.speed_m_s
            targets += [
                _at_most(f"{called}: peak speed with it", max(after.speed_m_s), "m/s", speed),
                _at_most(f"{called}: peak force at rest with it", max(after.rest_n), "N", force),
            ]
            for side, found in (("without", before), ("with", after)):
                detail |= _described(f"{called}, {side}", found)
    detail["noise before: processor taken away, µs"] = noise
    detail["load after"] = os.getloadavg()[0]
    return Result(bench="limit_profile", machine=machine, targets=tuple(targets), detail=detail)


def _at_most(name: str, value: float, unit: str, most: float) -> Target:
    return Target(name=name, value=value, unit=unit, op="<=", target=most)


def _described(called: str, found: _Measured) -> dict[str, Spread | float | int | str]:
    return {
        f"{called}: force, N": Spread.of(found.force_n),
        f"{called}: force of the strongest axis, N": Spread.of(found.axis_n),
        f"{called}: force of the strongest axis at rest, N": Spread.of(found.rest_n),
        f"{called}: speed, m/s": Spread.of(found.speed_m_s),
        f"{called}: successes": f"{found.successes} of {found.episodes}",
        f"{called}: steps under the profile": f"{found.under_profile} of {len(found.force_n)}",
    }


def _with_profile(task: Task, folder: Path) -> Task:
    file = folder / task.path.name
    write_task(file, merged(read_toml(task.path), {"limit_profiles": [PROFILE]}), task.path)
    return load_task(os.fspath(file))


def _measure(task: Task, data: Path, seeds: Sequence[int]) -> _Side:
    """Run the episodes in a system of their own, and read what it recorded."""
    found: _Side = {purpose: _Measured() for purpose in WHO}
    with scripted(task, data, OperatorSettings()) as (system, pilot):
        for purpose in WHO:
            for seed in seeds:
                pilot.run(EpisodePlan(purpose=purpose, seed=seed), system.check)
        record = recorded(system, pilot, task)
        purposes = {line.episode_id: line.purpose for line in record.episodes}
        steps_sha256(
            *(system.url, system.tokens.operator, task.name, record),
            look=lambda step: found[purposes[step.episode_id]].add(step),
        )
    for line in record.episodes:
        found[line.purpose].episodes += 1
        found[line.purpose].successes += line.success
    return found
