"""What a rehearsal came to: one JSON document, and the same as text for a person."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from robot_rl.evaluation.metrics import wilson
from robot_rl.policy.success_manifest import SuccessFigures
from robot_rl.rehearsal.risk_account import RiskReport
from robot_rl.rehearsal.timeline import EpisodeEntry, frozen_evaluations
from robot_rl.schema.message import Message
from robot_rl.schema.transition import RewardSource


class Rate(Message):
    """Successes with their 95 % Wilson interval."""

    successes: int
    episodes: int
    low: float
    high: float

    @classmethod
    def of(cls, successes: int, episodes: int) -> "Rate":
        found = wilson(successes, episodes)
        return cls(successes=successes, episodes=episodes, low=found.low, high=found.high)

    def __str__(self) -> str:
        if not self.episodes:
            return "not measured"
        share = self.successes / self.episodes
        return f"{self.successes}/{self.episodes} = {share:.2f} ({self.low:.2f}–{self.high:.2f})"


class Spread(Message):
    """Percentiles of a measured quantity; `count` 0 means that there was nothing to measure."""

    count: int
    p50: float | None
    p95: float | None
    max: float | None

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        if not values:
            return cls(count=0, p50=None, p95=None, max=None)
        p50, p95 = np.percentile(values, [50, 95])
        return cls(count=len(values), p50=float(p50), p95=float(p95), max=max(values))

    def text(self, unit: str) -> str:
        if self.p50 is None:
            return "nothing measured"
        return f"p50 {self.p50:.3g}, p95 {self.p95:.3g}, max {self.max:.3g} {unit} (n={self.count})"


def _processor() -> str:
    with Path("/proc/cpuinfo").open() as lines:
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return next(names, platform.machine())


class Machine(Message):
    processor: str = Field(default_factory=_processor)
    system: str = Field(default_factory=platform.platform)
    python: str = Field(default_factory=platform.python_version)
    cores: int


class RobotShare(Message):
    """What one of the robots did."""

    robot: str
    episodes: int
    steps_recorded: int
    steps_stored: int
    interventions: int
    human_s: float
    robot_s: float  # of demonstrations and training


class CorrectionStages(Message):
    """What robot_rl/rehearsal/correction_stages.py defines. The count of a stage is less than
    `corrected_steps` where steps had not reached it at the end.
    """

    corrected_steps: int
    before_training: int  # corrected before training began: in no stage
    sampled_s: Spread
    published_s: Spread
    acting_s: Spread
    first_decision_s: Spread  # until any policy decides again: no version can act sooner


class ClassifierErrors(Message):
    """What the success classifier said of whole episodes, against what the person saw: a success
    that they had not seen by then, and one that it never saw.
    """

    episodes: int
    false_successes: int
    missed: int

    def __str__(self) -> str:
        right = self.episodes - self.false_successes - self.missed
        return (
            f"{Rate.of(right, self.episodes)} as the person saw it, {self.false_successes} false "
            f"successes, {self.missed} missed"
        )


class ClassifierTraining(Message):
    """The episodes that were recorded and labelled to train it, and what it came to. Times are of
    the robot's clock, resets included, and of driving; they are in no entry of the timeline.
    """

    episodes: int
    successes: int  # as labelled
    label_errors: int  # of these labels, the wrong key
    robot_s: float
    human_s: float
    wall_s: float  # of episodes and training together
    sha256: str  # of its weights
    held_out: SuccessFigures


class ClassifierReport(Message):
    """The success classifier whose word was the reward. `evaluations`: where it was evidence."""

    labels: ClassifierErrors
    evaluations: ClassifierErrors
    training: ClassifierTraining | None = None  # None: it was trained before


class RehearsalReport(Message):
    """`rehearse --json FILE`. Counts are of the whole rehearsal, evaluations included."""

    task: str
    reward: RewardSource  # whose word on success counted
    seed: int
    machine: Machine
    lockstep: bool
    learner: bool
    interventions_allowed: bool
    robots: tuple[RobotShare, ...]
    episodes: int
    training_episodes: int
    steps_recorded: int  # by the robot
    steps_stored: int  # in the database
    steps_trainable: int  # of those, from training and demonstration episodes
    steps_available: int  # to the learner
    steps_sha256: str  # over every stored step; in lock-step the same whenever a run is repeated
    interventions: int
    human_seconds: float  # with those of the classifier's episodes
    versions_acted: tuple[int, ...]
    demonstrated: Rate  # demonstrations that succeeded
    success_before: Rate
    success_after: Rate
    autonomous_in_training: Rate  # episodes without a human step that succeeded, of all
    assisted_in_training: Rate
    success_by_tenth: tuple[float, ...]  # autonomous success in each tenth of the training
    human_share_by_tenth: tuple[float, ...]  # of the steps
    correction_to_policy_s: Spread  # robot clock: let go → a version with it acts
    correction_stages: CorrectionStages | None = None  # None in lock-step, or without a learner
    real_time_factor: Spread
    missed_ticks: int
    frame_age_ms: dict[str, Spread]
    label_errors: int  # training episodes that the person labelled wrongly
    marks_forgotten: int = 0  # takeovers of which the person forgot to mark the correction
    classifier: ClassifierReport | None = None  # where its word was the reward
    risk: RiskReport | None = None  # in the last frozen evaluation, where the task has a critic
    refused: dict[str, int]
    parts_killed: dict[str, int]
    wall_s: float
    training_wall_s: float
    timeline: tuple[EpisodeEntry, ...]  # every episode, in order

    @property
    def labelled_s(self) -> float:
        """What a person drove for the classifier before anything was taught."""
        return labelled_s(self.classifier)

    def problems(self) -> list[str]:
        """What must never differ, in words; empty when all is well."""
        found: list[str] = []
        found += [
            f"{each.robot} recorded {each.steps_recorded} steps and {each.steps_stored} are stored"
            for each in self.robots
            if each.steps_recorded != each.steps_stored
        ]
        if self.learner and self.steps_available != self.steps_trainable:
            found.append(
                f"{self.steps_trainable} trainable steps stored but {self.steps_available} "
                "available to the learner"
            )
        return found


def as_text(report: RehearsalReport) -> str:
    """The report for a person's eyes."""
    rows: list[tuple[str, Any]] = [
        ("episodes", f"{report.episodes} ({report.training_episodes} of training)"),
        *(
            (
                each.robot,
                f"{each.episodes} episodes, {each.steps_stored} steps, "
                f"{each.robot_s / 60:.1f} min, {each.human_s:.0f} s of driving",
            )
            for each in report.robots
            if len(report.robots) > 1
        ),
        (
            "steps recorded = stored",
            f"{report.steps_recorded} = {report.steps_stored}",
        ),
        (
            "trainable = available",
            f"{report.steps_trainable} = {report.steps_available}"
            if report.learner
            else f"{report.steps_trainable}, no learner",
        ),
        (
            "interventions",
            f"{report.interventions}, {report.human_seconds:.0f} s of driving"
            + (f", {report.marks_forgotten} not marked" if report.marks_forgotten else ""),
        ),
        ("versions acted", len(report.versions_acted)),
        ("reward from", f"the {report.reward}, {report.label_errors} wrong labels"),
        *_classifier_rows(report.classifier),
        ("demonstrations", report.demonstrated),
        ("success before", report.success_before),
        ("success after", report.success_after),
        *(
            (
                f"frozen, {each.robot_s / 60:.1f} min",
                f"{Rate.of(each.success.successes, each.success.trials)}, "
                f"{each.human_s:.0f} s of driving",
            )
            for each in frozen_evaluations(report.timeline, labelled_s=report.labelled_s)
            if each.robot_s > 0 and not each.last
        ),
        ("autonomous in training", report.autonomous_in_training),
        ("assisted in training", report.assisted_in_training),
        (
            "autonomous, by tenth",
            " ".join(f"{value:.2f}" for value in report.success_by_tenth),
        ),
        (
            "human share, by tenth",
            " ".join(f"{value:.2f}" for value in report.human_share_by_tenth),
        ),
        ("correction → policy", report.correction_to_policy_s.text("s of robot time")),
        *_stage_rows(report.correction_stages),
        *_risk_rows(report.risk),
        ("real-time factor", report.real_time_factor.text("")),
        ("missed ticks", report.missed_ticks),
        *((f"frame age, {name}", age.text("ms")) for name, age in report.frame_age_ms.items()),
        ("sha256 of the steps", report.steps_sha256),
        ("wall time", f"{report.wall_s:.0f} s ({report.training_wall_s:.0f} s of training)"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _classifier_rows(report: ClassifierReport | None) -> list[tuple[str, str]]:
    if report is None:
        return []
    rows: list[tuple[str, str]] = []
    if (made := report.training) is not None:
        labelled = (
            f"{made.episodes} episodes labelled first, {made.successes} success; "
            f"{made.robot_s / 60:.1f} min, {made.human_s:.0f} s of driving"
        )
        rows += [("the classifier", labelled), ("", made.held_out.sentence)]
    return [
        *rows,
        ("its labels", str(report.labels)),
        ("its evidence, frozen", str(report.evaluations)),
    ]


def labelled_s(report: ClassifierReport | None) -> float:
    """What a person drove in the episodes of its training; 0 where it was trained before."""
    made = None if report is None else report.training
    return 0.0 if made is None else made.human_s


def _stage_rows(stages: CorrectionStages | None) -> list[tuple[str, str]]:
    if stages is None:
        return []
    return [
        ("corrected step → sampled", stages.sampled_s.text("s")),
        ("→ published", stages.published_s.text("s")),
        ("→ acting", stages.acting_s.text("s")),
        ("next decision at all", stages.first_decision_s.text("s")),
    ]


def _risk_rows(report: RiskReport | None) -> list[tuple[str, str]]:
    if report is None:
        return []
    risk = report.figures
    unsafe = Rate.of(risk.unsafe_episodes, risk.episodes)
    rows = [
        ("unsafe episodes", f"{unsafe}, {risk.unsafe_episodes_per_hour:.1f} an hour"),
        (
            "held, other action taken",
            f"{risk.held_steps}, {risk.replaced_steps} steps, of these {risk.recovered_steps} by "
            "the recovery policy",
        ),
    ]
    if risk.auroc is not None and risk.calibration_error is not None:
        figures = f"AUROC {risk.auroc:.2f}, calibration error {risk.calibration_error:.3f}"
        rows.append(("risk critic", figures))
    if risk.well:
        rows.append(("below the threshold", f"{Rate.of(risk.well - risk.false_alarms, risk.well)}"))
    lead = "–" if risk.lead_steps is None else f"{risk.lead_steps:g} steps"
    rows.append(("alarms", f"{risk.false_alarms} false, {risk.missed} missed, lead {lead}"))
    return rows
