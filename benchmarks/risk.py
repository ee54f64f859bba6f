"""What the risk critic is worth: the same frozen policy and scenes with the critic acting and not.

A policy is trained on insert_peg with the scripted operator, a step with a contact force beyond
FORCE_N being unsafe, and a critic that only warns. Then two robots that learn nothing meet the same
scenes, in blocks by turns: one lets the critic act, the other lets it warn. What it foresees is
judged on the scenes in which it only warned, which nobody has trained on.

With --keep FOLDER the training and every block are kept as they end, and the next call goes on from
there.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.measurement import Machine, Result, Spread
from benchmarks.risk_kept import BenchSettings, Block, Kept, KeptEpisode, code_sha256
from benchmarks.risk_latency import decision_ms
from benchmarks.risk_report import Compared, judged
from benchmarks.scripted import CELL, recorded, scripted
from robot_rl.config import Task, load_task
from robot_rl.config.document import read_toml
from robot_rl.errors import PlainError
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.pilot import EpisodePlan
from robot_rl.rehearsal.record import steps_sha256
from robot_rl.rehearsal.report import RehearsalReport
from robot_rl.rehearsal.risk_account import RiskAccount
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.episode import Purpose

TASK = "insert_peg"
FORCE_N = 20.0  # inserting well takes up to 17 N
MINUTES, EPISODES, BLOCK = 12.0, 200, 25
SEED, SCENES = 11, 12
DATA = "data"
ARMS = {"warns": False, "acts": True}


def run(*, quick: bool = False, keep: str | None = None) -> Result:
    """Train, then evaluate twice."""
    machine = Machine.here()
    minutes, episodes, size = (0.5, 2, 2) if quick else (MINUTES, EPISODES, BLOCK)
    settings = BenchSettings(
        code=code_sha256(), force_n=FORCE_N, minutes=minutes, episodes=episodes, seed=SEED
    )
    with _folder(keep) as folder:
        kept = Kept(folder, settings)
        trained = kept.trained()
        if trained is None:
            trained = _trained(kept, minutes)
        version = trained.versions_acted[-1]
        scenes = np.random.default_rng(SCENES).integers(0, 2**31, episodes).tolist()
        blocks: dict[str, list[Block]] = {arm: [] for arm in ARMS}
        for first in range(0, episodes, size):
            for arm in ARMS:
                wanted = scenes[first : first + size]
                blocks[arm].append(_block(kept, f"{arm}_{first:03}", arm, version, wanted))
        task = load_task(_task_file(folder, "acts", acts=True))
        latency = decision_ms(folder / DATA, task, version)
    return _result(machine, task, trained, blocks, latency)


@contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    if keep is not None:
        yield Path(keep).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        yield Path(name)


def _trained(kept: Kept, minutes: float) -> RehearsalReport:
    """From the beginning: half a training is none."""
    data = kept.new_data(DATA)
    settings = RehearsalSettings(
        cell=CELL,
        task=_task_file(kept.folder, "training", acts=False),
        robot_minutes=minutes,
        evaluations=0,
        seed=SEED,
    )
    trained = rehearse(settings, data, quiet=True)
    if not trained.versions_acted:
        raise PlainError("no version of the policy acted in the training: train for longer")
    kept.keep_trained(trained)
    return trained


def _task_file(folder: Path, name: str, *, acts: bool) -> str:
    source = load_task(TASK)
    file = folder / f"{name}.toml"
    section = {"risk": {"force_n": FORCE_N, "acts": acts}}
    write_task(file, merged(read_toml(source.path), section), source.path)
    return str(file)


def _block(kept: Kept, name: str, arm: str, version: int, scenes: list[int]) -> Block:
    """That version in each scene, by a robot that learns nothing, in the same data folder."""
    found = kept.block(name)
    if found is not None:
        return found
    began, load = time.monotonic(), os.getloadavg()[0]
    task = load_task(_task_file(kept.folder, arm, acts=ARMS[arm]))
    with scripted(task, kept.folder / DATA) as (system, pilot):
        for seed in scenes:
            plan = EpisodePlan(purpose=Purpose.EVALUATION, seed=seed, policy_version=version)
            pilot.run(plan, system.check)
        record = recorded(system, pilot, task)
        account = RiskAccount(record)
        steps_sha256(system.url, system.tokens.operator, task.name, record, account.look)
    episodes = tuple(KeptEpisode.of(seed, episode) for seed, episode in account.episodes())
    if [each.seed for each in episodes] != scenes:
        raise PlainError(f"block {name}: not every scene was recorded once; run it again")
    block = Block(wall_s=time.monotonic() - began, load_1_min=load, episodes=episodes)
    kept.keep_block(name, block)
    return block


def _result(
    machine: Machine,
    task: Task,
    trained: RehearsalReport,
    blocks: dict[str, list[Block]],
    latency: dict[str, Spread],
) -> Result:
    assert task.risk is not None
    episodes = {
        arm: [each.episode for block in found for each in block.episodes]
        for arm, found in blocks.items()
    }
    compared = Compared(**episodes, step_s=task.step_s, discount=task.risk.discount)
    targets, detail = judged(compared, latency)
    every = [block for found in blocks.values() for block in found]
    minutes = sum(entry.robot_s for entry in trained.timeline) / 60
    loads = [block.load_1_min for block in every]
    return Result(
        bench="risk",
        machine=machine,
        targets=targets,
        detail={
            "task": f"{TASK}, unsafe beyond {FORCE_N:g} N",
            "training": (
                f"{minutes:.1f} robot-minutes, {trained.training_episodes} episodes, seed {SEED}, "
                f"{trained.wall_s / 60:.0f} min"
            ),
            "version": trained.versions_acted[-1],
            **detail,
            "evaluation, min": sum(block.wall_s for block in every) / 60,
            "load while it ran": f"{min(loads):.1f} to {max(loads):.1f}",
        },
    )
