"""`[risk]` of a task file: a learned critic of what may go wrong, and what it may do about it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from robot_rl.config.section import Positive, Section

LEAST_EPISODES = 19
"""Of a threshold that holds back one successful episode in twenty (alpha 0.05)."""


class ConstraintSection(Section):
    """What the policy is trained to stay below, beside what it is rewarded for (docs/safety.md)."""

    limit: Annotated[float, Field(ge=0, lt=1)]  # share of episodes that may have an unsafe step
    rate: Positive = 0.05  # of the multiplier, an episode
    largest: Positive = 10.0  # multiplier; beyond it the reward would hardly count
    window_episodes: Annotated[int, Field(ge=1)] = 20  # newest ones, of which the share is taken


class RiskSection(Section):
    """Where a task has it, the learner trains the critic beside the policy (docs/safety.md).

    A step is unsafe when the safety chain had to brake, the episode was stopped with it or called
    unsafe, or the contact force went beyond `force_n`.
    """

    force_n: Positive | None = None  # norm of the measured contact force; not given: none counts
    # False: the critic judges, is shown and recorded, and changes nothing.
    acts: bool = True
    # Above it an action is held back whatever the critic's own threshold is, also before there is
    # one. None: the critic's own alone.
    threshold: Annotated[float, Field(ge=0, lt=1)] | None = None
    # An action that no critic judged counts as risk 1, so that no policy acts before there is one.
    required: bool = False
    discount: Annotated[float, Field(ge=0, lt=1)] = 0.85  # γ_risk: about seven steps ahead
    # Share of episodes that go well (success, no unsafe step) that the threshold may hold back.
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    window_episodes: Annotated[int, Field(ge=LEAST_EPISODES)] = 100  # newest of those
    candidates: Annotated[int, Field(ge=1, le=100)] = 10  # other actions that are asked for
    width: Annotated[int, Field(ge=16, le=1024)] = 128
    batch: Annotated[int, Field(ge=8, le=4096)] = 128
    learning_rate: Positive = 1e-3
    # None: risk holds actions back, and the policy is trained as without it.
    constraint: ConstraintSection | None = None

    @model_validator(mode="after")
    def _holds_back_by_something(self) -> Self:
        if self.threshold is not None and not self.acts:
            raise ValueError(
                f"threshold is {self.threshold:g} and acts is false: nothing is held back then; "
                "leave threshold out, or let the critic act"
            )
        if self.required and self.threshold is None:
            raise ValueError(
                "required is true and threshold is not given: what no critic judged counts as risk "
                "1, which only a threshold below 1 holds back; give threshold, 0 to below 1"
            )
        return self

    @model_validator(mode="after")
    def _can_be_calibrated(self) -> Self:
        least = -(-1 // self.alpha) - 1  # n + 1 ≥ 1 / alpha
        if self.window_episodes < least:
            raise ValueError(
                f"alpha is {self.alpha:g}, which takes {least:.0f} successful episodes, and "
                f"window_episodes is {self.window_episodes}: give more episodes or a greater alpha"
            )
        return self
