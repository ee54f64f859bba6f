"""Results of cells that nobody ran: what a report is made of."""

from collections.abc import Sequence
from datetime import UTC, datetime

from robot_rl.policy.success_manifest import SuccessFigures
from robot_rl.rehearsal.report import (
    ClassifierErrors,
    ClassifierReport,
    ClassifierTraining,
    Machine,
)
from robot_rl.rehearsal.timeline import EpisodeEntry
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.study.results import CellReport, CellResult, CodeVersion

STEP_S = 0.1
CODE = CodeVersion(commit="0123456789abcdef", tree="aaaa")


def entry(
    purpose: Purpose,
    seed: int,
    *,
    success: bool = True,
    steps: int = 40,
    human_steps: int = 0,
    robot_s: float = 8.0,
) -> EpisodeEntry:
    return EpisodeEntry(
        purpose=purpose,
        seed=seed,
        outcome=Outcome.SUCCESS if success else Outcome.FAILURE,
        steps=steps,
        human_steps=human_steps,
        human_s=human_steps * STEP_S,
        robot_s=robot_s,
        cycle_s=steps * STEP_S if success else None,
        policy_versions=(1,),
    )


def frozen(successes: Sequence[bool], steps: int = 40) -> list[EpisodeEntry]:
    """The scenes of an evaluation are numbered from 0."""
    return [
        entry(Purpose.EVALUATION, seed, success=success, steps=steps if success else 100)
        for seed, success in enumerate(successes)
    ]


def trained(episodes: int, human_steps: int = 10, robot_s: float = 8.0) -> list[EpisodeEntry]:
    return [
        entry(Purpose.TRAINING, seed, human_steps=human_steps, robot_s=robot_s)
        for seed in range(episodes)
    ]


def report(*parts: Sequence[EpisodeEntry]) -> CellReport:
    timeline = tuple(each for part in parts for each in part)
    return CellReport(
        timeline=timeline, human_seconds=sum(each.human_s for each in timeline), wall_s=600.0
    )


def with_classifier(made: CellReport, *, human_s: float = 50.0) -> CellReport:
    """Its word was the reward; so long was driven for its episodes."""
    held_out = SuccessFigures(
        threshold=0.85,
        consecutive=2,
        episodes=9,
        positives=24,
        negatives=300,
        precision=0.96,
        recall=1.0,
        auroc=0.999,
        successes=6,
        false_alarms=1,
        missed=0,
    )
    training = ClassifierTraining(
        episodes=30,
        successes=22,
        label_errors=0,
        robot_s=180.0,
        human_s=human_s,
        wall_s=300.0,
        sha256="0" * 64,
        held_out=held_out,
    )
    found = ClassifierReport(
        labels=ClassifierErrors(episodes=40, false_successes=2, missed=1),
        evaluations=ClassifierErrors(episodes=50, false_successes=0, missed=3),
        training=training,
    )
    return made.model_copy(
        update={"classifier": found, "human_seconds": made.human_seconds + human_s}
    )


def result(
    task: str,
    arm: str,
    seed: int,
    made: CellReport | None,
    *,
    failure: str = "",
    settings_sha256: str = "s",
    code: CodeVersion = CODE,
) -> CellResult:
    return CellResult(
        study="s",
        task=task,
        arm=arm,
        seed=seed,
        settings_sha256=settings_sha256,
        settings={},
        code=code,
        machine=Machine(cores=2),
        ended_t_utc=datetime(2026, 11, 26, tzinfo=UTC),
        wall_s=700.0,
        failure=failure,
        report=made,
    )
