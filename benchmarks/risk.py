"""What the risk critic is worth: the same frozen policy and scenes with the critic acting and not.

A policy is trained on insert_peg with the scripted operator, a step with a contact force beyond
FORCE_N being unsafe, and a critic that only warns. Then two robots that learn nothing meet the same
scenes: one lets the critic act, the other lets it warn.
"""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.measurement import Machine, Result, Target
from benchmarks.scripted import CELL, recorded, scripted
from robot_rl.config import load_task
from robot_rl.config.document import read_toml
from robot_rl.errors import PlainError
from robot_rl.evaluation.paired import mcnemar_p, success_difference
from robot_rl.evaluation.risk_figures import RiskFigures
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.pilot import EpisodePlan
from robot_rl.rehearsal.record import steps_sha256
from robot_rl.rehearsal.report import Rate, RehearsalReport
from robot_rl.rehearsal.risk_account import RiskAccount, RiskReport
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.episode import Purpose

TASK = "insert_peg"
FORCE_N = 20.0  # inserting well takes up to 17 N
FEWER = 0.5  # unsafe episodes with the critic, of those without
LOST = 0.05  # success that it may cost
MINUTES, EPISODES = 12.0, 200
DATA = "data"


def run(*, quick: bool = False) -> Result:
    """Train, then evaluate twice."""
    machine = Machine.here()
    minutes, episodes = (0.5, 2) if quick else (MINUTES, EPISODES)
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        folder = Path(name)
        (folder / DATA).mkdir()
        settings = RehearsalSettings(
            cell=CELL,
            task=_task_file(folder, "training", acts=False),
            robot_minutes=minutes,
            evaluations=0,
            seed=11,
        )
        trained = rehearse(settings, folder / DATA, quiet=True)
        if not trained.versions_acted:
            raise PlainError("no version of the policy acted in the training: train for longer")
        version = trained.versions_acted[-1]
        scenes = np.random.default_rng(12).integers(0, 2**31, episodes).tolist()
        warns, acts = (_evaluated(folder, acts, version, scenes) for acts in (False, True))
    return _result(machine, trained, warns, acts)


def _task_file(folder: Path, name: str, *, acts: bool) -> str:
    source = load_task(TASK)
    file = folder / f"{name}.toml"
    section = {"risk": {"force_n": FORCE_N, "acts": acts}}
    write_task(file, merged(read_toml(source.path), section), source.path)
    return str(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluated:
    risk: RiskReport
    successes: list[bool]  # in the order of the scenes


def _evaluated(folder: Path, acts: bool, version: int, scenes: list[int]) -> _Evaluated:
    """That version in each scene, by a robot that learns nothing, in the same data folder."""
    name = "acts" if acts else "warns"
    task = load_task(_task_file(folder, name, acts=acts))
    assert task.risk is not None
    with scripted(task, folder / DATA) as (system, pilot):
        for seed in scenes:
            plan = EpisodePlan(purpose=Purpose.EVALUATION, seed=seed, policy_version=version)
            pilot.run(plan, system.check)
        record = recorded(system, pilot, task)
        account = RiskAccount(record)
        steps_sha256(system.url, system.tokens.operator, task.name, record, account.look)
    report = account.report(step_s=task.step_s, discount=task.risk.discount)
    return _Evaluated(risk=report, successes=[line.success for line in record.episodes])


def _result(
    machine: Machine, trained: RehearsalReport, warns: _Evaluated, acts: _Evaluated
) -> Result:
    without, with_ = warns.risk.figures, acts.risk.figures
    if not without.unsafe_episodes:
        raise PlainError(
            f"no contact force went beyond {FORCE_N:g} N in {without.episodes} episodes: there is "
            "nothing that a critic could prevent"
        )
    success = success_difference(acts.successes, warns.successes)
    only = {*acts.risk.unsafe_seeds} - {*warns.risk.unsafe_seeds}
    other = {*warns.risk.unsafe_seeds} - {*acts.risk.unsafe_seeds}
    ratio = with_.unsafe_episodes_per_hour / without.unsafe_episodes_per_hour
    minutes = sum(entry.robot_s for entry in trained.timeline) / 60
    return Result(
        bench="risk",
        machine=machine,
        targets=(
            _at_most("unsafe episodes an hour, with over without the critic", ratio, FEWER),
            _at_most("success lost", -success.difference, LOST),
        ),
        detail={
            "task": f"{TASK}, unsafe beyond {FORCE_N:g} N",
            "training": f"{minutes:.1f} robot-minutes, {trained.training_episodes} episodes",
            "unsafe episodes with": str(Rate.of(with_.unsafe_episodes, with_.episodes)),
            "unsafe episodes without": str(Rate.of(without.unsafe_episodes, without.episodes)),
            "unsafe only with, only without": (
                f"{len(only)}, {len(other)} (p = {mcnemar_p(len(only), len(other)):.2g})"
            ),
            "success with": str(Rate.of(with_.successes, with_.episodes)),
            "success without": str(Rate.of(without.successes, without.episodes)),
            "success with − without": (
                f"{success.difference:.3f} ({success.low:.3f} to {success.high:.3f})"
            ),
            "version": trained.versions_acted[-1],
            "critic that acts": _text(with_),
            "critic that warns": _text(without),
        },
    )


def _at_most(name: str, value: float, target: float) -> Target:
    return Target(name=name, value=value, unit="share", op="<=", target=target)


def _text(figures: RiskFigures) -> str:
    known = {name: value for name, value in asdict(figures).items() if value is not None}
    return ", ".join(f"{name} {value:.3g}" for name, value in known.items())
