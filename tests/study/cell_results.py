"""Results of cells that nobody ran: what a report is made of."""

from collections.abc import Sequence
from datetime import UTC, datetime

from robot_rl.rehearsal.report import Machine
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
