"""A rehearsal's episodes in the order in which they ran, and the frozen evaluations among them.

Two clocks run beside them. Robot time is what the robot spent on demonstrations and training, each
episode from the end of the one before it, so with its reset; evaluations stand outside of it. Human
time is what a person drove, demonstrations included.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from robot_rl.evaluation.metrics import Proportion, wilson
from robot_rl.rehearsal.record import EpisodeLine
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import Message


class EpisodeEntry(Message):
    """One episode. Times are of its robot's clock, in lock-step virtual."""

    robot: str = ""  # empty in reports from before there were several
    purpose: Purpose
    seed: int
    outcome: Outcome | None
    steps: int  # actions
    human_steps: int
    human_s: float
    robot_s: float  # from the end of the episode before it, so with its reset
    cycle_s: float | None  # from its start to success; None without success
    policy_versions: tuple[int, ...]  # that acted, in order

    @property
    def success(self) -> bool:
        return self.outcome is Outcome.SUCCESS

    @property
    def frozen(self) -> bool:
        return self.purpose is Purpose.EVALUATION


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenEvaluation:
    """Evaluation episodes without any other between them: one policy, measured.

    robot_s, human_s, steps, human_steps: what had been spent when it began, by all robots together.
    elapsed_s: the robot time that passed until then, in which several robots spend more. last:
    nothing was taught after it.
    """

    robot_s: float
    human_s: float
    steps: int
    human_steps: int
    elapsed_s: float
    last: bool
    episodes: tuple[EpisodeEntry, ...]

    @property
    def success(self) -> Proportion:
        return wilson(sum(episode.success for episode in self.episodes), len(self.episodes))

    @property
    def cycle_s(self) -> float | None:
        """Median of the successful episodes."""
        cycles = [each.cycle_s for each in self.episodes if each.cycle_s is not None]
        return median(cycles) if cycles else None


def entries(lines: Iterable[EpisodeLine], step_s: float) -> tuple[EpisodeEntry, ...]:
    """Of the record, oldest first."""
    found: list[EpisodeEntry] = []
    before_ns: dict[str, int] = {}  # of each robot, by its own clock
    for line in lines:
        began_ns = before_ns.get(line.robot, line.started_t_robot_ns)
        # An episode that was cut off has no end: its steps are what is known of it.
        ended_ns = line.ended_t_robot_ns
        if ended_ns is None:
            ended_ns = line.started_t_robot_ns + round(line.actions * step_s * 1e9)
        before_ns[line.robot] = ended_ns
        found.append(
            EpisodeEntry(
                robot=line.robot,
                purpose=line.purpose,
                seed=line.seed,
                outcome=line.outcome,
                steps=line.actions,
                human_steps=line.human_steps,
                human_s=round(line.human_steps * step_s, 6),
                robot_s=round((ended_ns - began_ns) * 1e-9, 6),
                cycle_s=round(line.actions * step_s, 6) if line.success else None,
                policy_versions=line.policy_versions,
            )
        )
    return tuple(found)


def frozen_evaluations(
    timeline: Iterable[EpisodeEntry], *, labelled_s: float = 0.0
) -> tuple[FrozenEvaluation, ...]:
    """In order. The first one, before anything was taught, has spent nothing. `labelled_s`: what
    people drove for a success classifier, in episodes that are no part of the timeline; it counts
    as spent once something is taught by it.
    """
    found: list[FrozenEvaluation] = []
    robot_s = human_s = elapsed_s = 0.0
    steps = human_steps = 0
    since: dict[str, float] = {}  # robot time since the evaluation before, of each robot
    group: list[EpisodeEntry] = []

    def close(*, last: bool) -> None:
        if group:
            found.append(
                FrozenEvaluation(
                    robot_s=robot_s,
                    human_s=human_s,
                    steps=steps,
                    human_steps=human_steps,
                    elapsed_s=elapsed_s,
                    last=last,
                    episodes=tuple(group),
                )
            )
            group.clear()

    for entry in timeline:
        if entry.frozen:
            elapsed_s, since = elapsed_s + max(since.values(), default=0.0), {}
            group.append(entry)
            continue
        close(last=False)
        robot_s, human_s = robot_s + entry.robot_s, human_s + entry.human_s + labelled_s
        labelled_s = 0.0
        steps, human_steps = steps + entry.steps, human_steps + entry.human_steps
        since[entry.robot] = since.get(entry.robot, 0.0) + entry.robot_s
    close(last=True)
    return tuple(found)


def before(found: Iterable[FrozenEvaluation]) -> FrozenEvaluation | None:
    """The one of the starting policy."""
    return next((each for each in found if each.robot_s == 0), None)


def after(found: Iterable[FrozenEvaluation]) -> FrozenEvaluation | None:
    """The one of what was learned in the end."""
    return next((each for each in found if each.last and each.robot_s > 0), None)
