"""What the risk critic is worth: the same frozen policy and scenes with the critic acting and not.

A policy is trained on insert_peg with the scripted operator, a step with a contact force beyond
FORCE_N being unsafe, and a critic that only warns. Then two robots that learn nothing meet the same
scenes: one lets the critic act, the other lets it warn.
"""

import shutil
import tempfile
from pathlib import Path

from benchmarks.measurement import Machine, Result, Target
from robot_rl.config import load_task
from robot_rl.config.document import read_toml
from robot_rl.errors import PlainError
from robot_rl.evaluation.paired import mcnemar_p, success_difference
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.report import Rate, RehearsalReport
from robot_rl.rehearsal.risk_account import RiskReport
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings

TASK, CELL = "insert_peg", "simulation"
FORCE_N = 20.0  # inserting well takes up to 17 N
FEWER = 0.5  # unsafe episodes with the critic, of those without
LOST = 0.05  # success that it may cost
MINUTES, EPISODES = 12.0, 200


def run(*, quick: bool = False) -> Result:
    """Train, then evaluate twice on copies of what was recorded."""
    machine = Machine.here()
    minutes, episodes = (0.5, 2) if quick else (MINUTES, EPISODES)
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        folder = Path(name)
        (folder / "trained").mkdir()
        settings = RehearsalSettings(
            cell=CELL,
            task=_task_file(folder, "training", acts=False),
            robot_minutes=minutes,
            evaluations=0,
            seed=11,
        )
        trained = rehearse(settings, folder / "trained", quiet=True)
        warns, acts = (_evaluated(folder, acts, episodes) for acts in (False, True))
    return _result(machine, trained, warns, acts)


def _task_file(folder: Path, name: str, *, acts: bool) -> str:
    source = load_task(TASK)
    file = folder / f"{name}.toml"
    section = {"risk": {"force_n": FORCE_N, "acts": acts}}
    write_task(file, merged(read_toml(source.path), section), source.path)
    return str(file)


def _evaluated(folder: Path, acts: bool, episodes: int) -> RehearsalReport:
    """Nothing is learned: the robot follows the version that was published last."""
    name = "acts" if acts else "warns"
    shutil.copytree(folder / "trained", folder / name)
    settings = RehearsalSettings(
        cell=CELL,
        task=_task_file(folder, name, acts=acts),
        episodes=0,
        evaluations=episodes,
        learner=False,
        seed=12,
    )
    return rehearse(settings, folder / name, quiet=True)


def _result(
    machine: Machine, trained: RehearsalReport, warns: RehearsalReport, acts: RehearsalReport
) -> Result:
    without, with_ = warns.risk, acts.risk
    if without is None or with_ is None or not without.unsafe_episodes:
        raise PlainError(
            f"no contact force went beyond {FORCE_N:g} N in {warns.episodes} episodes: there is "
            "nothing that a critic could prevent"
        )
    success = success_difference(_successes(acts), _successes(warns))
    only = {*with_.unsafe_seeds} - {*without.unsafe_seeds}
    other = {*without.unsafe_seeds} - {*with_.unsafe_seeds}
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
            "versions that acted with, without": f"{acts.versions_acted}, {warns.versions_acted}",
            "critic that acts": _text(with_),
            "critic that warns": _text(without),
        },
    )


def _at_most(name: str, value: float, target: float) -> Target:
    return Target(name=name, value=value, unit="share", op="<=", target=target)


def _successes(report: RehearsalReport) -> list[bool]:
    return [entry.success for entry in sorted(report.timeline, key=lambda each: each.seed)]


def _text(risk: RiskReport) -> str:
    return ", ".join(
        f"{name} {value:.3g}"
        for name, value in risk.model_dump(exclude={"unsafe_seeds"}).items()
        if value is not None
    )
