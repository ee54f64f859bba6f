"""A policy that answers in chunks, in the simulated cell in real time: the product's actor and
control, with so much inference time injected, and what our path adds to LeRobot's own.

Cameras show one grey picture: drawing would take the processor that the actor is measured on.
"""

import math
import os
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import chunk_actor
from benchmarks.fault_cell import eventually
from benchmarks.fault_recording import RecordingCell
from benchmarks.fault_trial import Spoilt
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.policy_overhead import Overhead, overhead
from robot_rl.config import load_task
from robot_rl.config.task import Task
from robot_rl.schema.episode import EpisodeEnded, Outcome
from robot_rl.schema.live.client_message import StartEpisode
from robot_rl.schema.segment import RecordedStep
from safety.vocabulary import Source

INJECTED_MS = (0, 100, 300, 500)
EPISODES = 8  # for each injected time
ON_GRID, DRIVEN, JERK, OVERHEAD_MS = 1.0, 0.95, 1.2, 2.0
AGE_S = 1.5
"""`[inference] observation_age_s`: with 500 ms an action is up to 1.2 s old when it has run."""
_CALLS = 200
_EPISODE_S = 14.0


class PolicyCell(RecordingCell):
    """Its actor's policy is the chunked expert."""

    def __init__(self, folder: Path, task: Task) -> None:
        super().__init__(folder, task)
        self.thinks_s: Any = self._context.Value("d", 0.0)

    def start_actor(self) -> None:
        self._spawn("actor", chunk_actor.main, self.settings, self.thinks_s)


@dataclass(slots=True)
class Drives:
    """Episodes with one injected time."""

    due: int = 0  # steps of the grid from the first to the last
    observed: int = 0
    steps: int = 0  # that have an action
    driven: int = 0  # by the policy
    driven_since_first: int = 0
    since_first: int = 0  # steps since the policy first drove
    stops: int = 0  # stretches of holding between two motions of the policy
    held_ms: float = 0.0  # in them
    unseen: int = 0  # commands
    squared: float = 0.0  # of the reference's jerk
    ticks: int = 0
    successes: int = 0
    episodes: int = 0
    spoilt: int = 0
    durations_s: list[float] = field(default_factory=list[float])

    @property
    def jerk_m_s3(self) -> float:
        """RMS of the reference's, while it moves by the policy."""
        return math.sqrt(self.squared / self.ticks) if self.ticks else math.inf

    def take(self, contents: list[Any]) -> None:
        """What was recorded of one episode."""
        records = [each for each in contents if isinstance(each, RecordedStep)]
        (ended,) = (each for each in contents if isinstance(each, EpisodeEnded))
        times = [record.step.t_robot_ns for record in records]
        step_ns = min(b - a for a, b in pairwise(times))
        self.due += (times[-1] - times[0]) // step_ns + 1
        self.observed += sum(bool(record.images) for record in records)
        sources = [record.step.source for record in records[:-1]]
        self.steps += len(sources)
        self.driven += sources.count(Source.POLICY)
        if Source.POLICY in sources:
            rest = sources[sources.index(Source.POLICY) :]
            self.since_first += len(rest)
            self.driven_since_first += rest.count(Source.POLICY)
        self.episodes += 1
        self.successes += ended.outcome is Outcome.SUCCESS
        self.durations_s.append(len(sources) * step_ns * 1e-9)

    def look(self, cell: PolicyCell, contents: list[Any]) -> None:
        """What control commanded from the first window to the last that the policy drove in."""
        steps = [each.step for each in contents if isinstance(each, RecordedStep)]
        windows = [step.t_robot_ns for step in steps if step.source is Source.POLICY]
        if not windows:
            return
        task = cell.settings.task
        begin_ns = windows[0] + task.action_delay_ns
        end_ns = windows[-1] + task.action_delay_ns + task.step_ns
        within = [each for each in cell.looks.commands if begin_ns <= each.t_ns < end_ns]
        moving = [k for k, command in enumerate(within) if not command.hold]
        commands = within[moving[0] : moving[-1] + 1]
        period_s = cell.settings.control_period_ns * 1e-9
        self.unseen += commands[-1].sequence - commands[0].sequence + 1 - len(commands)
        holds = [command.hold for command in commands]
        self.stops += sum(b and not a for a, b in pairwise(holds))
        self.held_ms += sum(holds) * period_s * 1e3
        cell.looks.commands = commands
        for run in cell.looks.runs():
            at = np.array([command.position_m for command in run])
            jerk = np.diff(at, n=3, axis=0) / period_s**3
            self.squared += float((jerk**2).sum())
            self.ticks += len(jerk)


def drives(injected_ms: tuple[int, ...], episodes: int) -> dict[int, Drives]:
    """The injected times take turns, so that what else the machine does meets all of them."""
    found = {each: Drives() for each in injected_ms}
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        task = load_task("lift_cube")
        reset = task.reset.model_copy(update={"confirm": False})
        inference = task.inference.model_copy(update={"observation_age_s": AGE_S})
        task = task.model_copy(update={"reset": reset, "inference": inference})
        cell = PolicyCell(Path(folder), task)
        try:
            cell.start()
            for _ in range(episodes):
                for each, said in found.items():
                    try:
                        _episode(cell, each, said)
                    except Spoilt:
                        said.spoilt += 1
        finally:
            cell.end()
    return found


def _episode(cell: PolicyCell, injected_ms: int, said: Drives) -> None:
    cell.rest()
    cell.thinks_s.value = injected_ms * 1e-3
    eventually(lambda: not cell.refusal, f"no episode may start: {cell.refusal}", 5.0)
    answer = cell.ask_actor(StartEpisode)
    if not answer.accepted:
        raise Spoilt(answer.reason)
    cell.looks.clear()
    eventually(lambda: cell.mode == "autonomous", "no autonomy", 3.0)
    for _ in range(round(_EPISODE_S / 0.1)):
        cell.looks.go_on(0.1)
        if cell.mode != "autonomous":
            break
    eventually(lambda: cell.stage != "running", "the episode does not end", 5.0)
    contents: list[Any] = []
    eventually(lambda: _ended(cell, contents), "its end is not recorded", 5.0)
    said.take(contents)
    said.look(cell, contents)


def _ended(cell: PolicyCell, contents: list[Any]) -> bool:
    contents += cell.recorded()
    return any(isinstance(each, EpisodeEnded) for each in contents)


def run(*, quick: bool = False, repeats: int | None = None) -> Result:
    """`repeats`: episodes for each injected time."""
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    episodes = repeats or (1 if quick else EPISODES)
    found = drives((0, 300) if quick else INJECTED_MS, episodes)
    beside = overhead(10 if quick else _CALLS)
    targets: list[Target] = []
    detail: dict[str, Spread | float | int | str] = {}
    for each, said in found.items():
        targets += _targets(each, said, found[0])
        detail |= _detail(each, said)
    targets += _overhead_targets(beside)
    detail |= {
        "our path, ms": Spread.of(beside.ours_ms),
        "LeRobot's own, ms": Spread.of(beside.theirs_ms),
        "ours outside of predict_action_chunk, ms": Spread.of(beside.around_ms),
        "LeRobot's own outside of it, ms": Spread.of(beside.theirs_around_ms),
        "load at the end, 1 min": os.getloadavg()[0],
        "noise before, µs": noise,
    }
    return Result(bench="policy", machine=machine, targets=tuple(targets), detail=detail)


def _targets(injected_ms: int, said: Drives, still: Drives) -> list[Target]:
    def of(name: str, value: float, unit: str, op: Any, target: float) -> Target:
        return Target(
            name=f"{injected_ms} ms: {name}", value=value, unit=unit, op=op, target=target
        )

    def share(part: int, whole: int) -> float:
        return part / whole if whole else math.nan

    return [
        of("steps on the grid", share(said.observed, said.due), "share", "==", ON_GRID),
        of("steps driven by the policy", share(said.driven, said.steps), "share", ">=", DRIVEN),
        of("stops between chunks", said.stops, "stops", "==", 0),
        of("jerk beside 0 ms", said.jerk_m_s3 / still.jerk_m_s3, "x", "<=", JERK),
    ]


def _detail(injected_ms: int, said: Drives) -> dict[str, Spread | float | int | str]:
    figures: dict[str, Spread | float | int | str] = {
        "successes": f"{said.successes} of {said.episodes}",
        "driven by the policy since it first drove": f"{said.driven_since_first} "
        f"of {said.since_first} steps",
        "steps without the policy": said.steps - said.driven,
        "held between chunks, ms": said.held_ms,
        "reference's jerk, RMS, m/s³": said.jerk_m_s3,
        "commands not seen": said.unseen,
        "episodes spoilt": said.spoilt,
    }
    if said.durations_s:
        figures["an episode, s"] = Spread.of(said.durations_s)
    return {f"{injected_ms} ms: {name}": value for name, value in figures.items()}


def _overhead_targets(beside: Overhead) -> list[Target]:
    added = Spread.of(beside.ours_ms).p95 - Spread.of(beside.theirs_ms).p95
    return [
        Target(
            name="our path over LeRobot's own, p95",
            value=added,
            unit="ms",
            op="<=",
            target=OVERHEAD_MS,
        )
    ]
