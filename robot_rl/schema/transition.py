"""What recorded steps mean for training: the one place that says it.

Robot (outbox), server (counts, shown rewards), replay and cloning ask here, so that what one of
them counts is what the others train on. Pure functions; no torch, no pyarrow.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.step import Step
from safety.vocabulary import Limit, Phase, Source

TRAINED_ON = (Purpose.TRAINING, Purpose.DEMONSTRATION)
"""Episodes whose steps enter training."""

GRIPPER_AT_START: Mapping[Literal["open", "closed", "keep"], float] = {
    "open": 1.0,
    "closed": -1.0,
    "keep": 0.0,
}
"""`reset.gripper` of the task file → the order that stands when an episode starts; 0: unknown."""

UNSAFE = "unsafe"
"""The failure class of a task that says so."""

SAME_ACTION = 1e-4
"""Largest difference, in normalised units, between two accounts of one motion. They are kept as
float32; a real second driver moves the reference by far more."""


type RewardSource = Literal["simulator", "operator", "classifier"]
"""Whose word on success counts before anybody relabels: the simulator's, which also ends the
episode; that of the person, as on a real robot; or that of a success classifier, which ends the
episode as the simulator does. With the last two the simulator says nothing of success or failure:
no step, no actor and no learner has its word.
"""

CLASSIFIER = "classifier"
"""Who labelled an episode that the success classifier ended."""


class RewardRule(Protocol):
    """What is needed of a task's reward section."""

    @property
    def success(self) -> float: ...
    @property
    def step(self) -> float: ...
    @property
    def gripper_change(self) -> float: ...
    @property
    def source(self) -> RewardSource: ...


# ---- which steps -------------------------------------------------------------------------------


def is_seen(pictures: Collection[str], cameras: Iterable[str]) -> bool:
    """Whether a record holds the observation that its task declares: a picture of each of its
    `cameras`. The arm's state is in every record, so without cameras every record is seen.
    """
    return all(camera in pictures for camera in cameras)


def is_decision(source: Source | str, *, acted: bool) -> bool:
    """Whether a step's action was somebody's decision: the reset routine's motion is nobody's."""
    return acted and source != Source.RESET


def is_trainable(
    source: Source | str, *, acted: bool, pictures: Collection[str], cameras: Iterable[str]
) -> bool:
    """Whether a step is counted as one that can be trained on: seen, and decided."""
    return is_decision(source, acted=acted) and is_seen(pictures, cameras)


# ---- demonstrations ----------------------------------------------------------------------------


def shows(
    source: Source | str,
    phase: Phase | str | None,
    *,
    demonstration: bool,
    use: InterventionUse | None = None,
    correction_steps: int = 0,
) -> bool:
    """Whether a person drove this step to show how the task is done.

    In a `demonstration` episode they always do; in an intervention during its correction, not on
    the way back (recovery). What a person decided about the intervention (`use`) outweighs that:
    a correction of which no step follows key C (`correction_steps` 0) is shown from its beginning.
    """
    if source != Source.HUMAN:
        return False
    if demonstration or phase == Phase.CORRECTION:
        return use in (None, InterventionUse.CORRECTION)
    return use is InterventionUse.CORRECTION and not correction_steps


def drove_alone(human: Sequence[float], executed: Sequence[float]) -> bool:
    """Whether all that was done in a step was done by the person.

    When the driver changed within the step, `human` is a part of an action: nothing to imitate.
    """
    return all(abs(one - other) <= SAME_ACTION for one, other in zip(human, executed, strict=True))


def own_action(step: Step) -> Sequence[float] | None:
    """What a person asked for in a step that was theirs alone: it can be imitated, if it should be.

    Older records know only what became of it.
    """
    human, executed = step.human_action, step.executed_action
    if step.source != Source.HUMAN or human is None or executed is None:
        return None
    if not drove_alone(human, executed):
        return None
    return human if step.commanded_action is None else step.commanded_action


def is_example(
    step: Step,
    *,
    demonstration: bool,
    use: InterventionUse | None = None,
    correction_steps: int = 0,
) -> bool:
    """Whether a step's human action may be imitated, as far as the step itself tells."""
    return own_action(step) is not None and shows(
        step.source,
        step.phase,
        demonstration=demonstration,
        use=use,
        correction_steps=correction_steps,
    )


def leads_on(source: Source | str) -> bool:
    """Whether a step of an episode that succeeded may be imitated for that, whoever drove it.

    Going back after an alarm is what control does, and no policy should learn to do it by itself.
    Reinforcement learning has it all the same: it was executed.
    """
    return source != Source.REWIND


def demonstrates(*, demonstration: bool, outcome: Outcome | None) -> bool:
    """Whether an episode may be imitated: what a person did in a demonstration that did not
    succeed, or of which nobody knows yet, is no example. Corrections are, whatever follows them.
    """
    return not demonstration or outcome is Outcome.SUCCESS


# ---- success and reward ------------------------------------------------------------------------


def succeeds(
    rule: RewardRule, *, last: bool, evidence: bool, outcome: Outcome | None
) -> bool | None:
    """Whether a transition completes the task; None while nobody can know.

    last: it is the episode's last one. evidence: the simulator saw the task done after it.
    outcome: the latest label, or how the episode ended; it outweighs the evidence. What a
    classifier says of single steps becomes an outcome in the actor alone: here it is awaited.
    """
    if outcome is not None:
        return last and outcome is Outcome.SUCCESS
    if rule.source == "simulator":
        return evidence
    return None if last else False


def is_over(rule: RewardRule, *, evidence: bool) -> bool:
    """Whether the simulator saw the task done before a step: nothing is left to do."""
    return rule.source == "simulator" and evidence


def transition_reward(rule: RewardRule, *, success: bool) -> float:
    """Reward of one transition, without the gripper's penalty."""
    return rule.step + (rule.success if success else 0.0)


def gripper_changes(orders: Sequence[float], before: Sequence[float]) -> int:
    """How many grippers a step orders another way than the latest order before it.

    orders, before: one entry per gripper, negative close, 0 none, positive open.
    """
    return sum(
        order != 0 and (order > 0) - (order < 0) != (old > 0) - (old < 0)
        for order, old in zip(orders, before, strict=True)
    )


def orders_after(orders: Sequence[float], before: Sequence[float]) -> tuple[float, ...]:
    """The orders that stand after a step."""
    return tuple(order or old for order, old in zip(orders, before, strict=True))


def is_costly(
    limits: int, *, last: bool, outcome: Outcome | None, failure_class: str | None
) -> bool:
    """Whether a step did what a risk critic must learn to avoid: the safety chain had to brake or
    the contact force went beyond what the task calls safe (`limits` of the step), or the episode
    ended with it in a stop or was called unsafe. A person's plain takeover is none of these.
    """
    if Limit(limits) & (Limit.BRAKE | Limit.FORCE):
        return True
    return last and (outcome is Outcome.ABORTED or failure_class == UNSAFE)
