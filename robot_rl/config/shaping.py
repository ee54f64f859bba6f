"""`[learner.shaping]` of a task file: whether progress is rewarded, and how that is learned."""

from typing import Annotated

from pydantic import Field

from robot_rl.config.section import NotNegative, Positive, Section


class ShapingSection(Section):
    """A model of the time to success adds γΦ(s′) − Φ(s) to every reward (robot_rl.learner.shaping):
    which policy is best does not change by it, and what a step was worth shows at once.
    """

    # Of the reward: what the whole way to success is worth in it. 0: off.
    weight: NotNegative = 0.0
    # Successful episodes, demonstrations too, at which it is first fitted; then whenever they have
    # doubled, so that what the critics learn moves seldom.
    first_successes: Annotated[int, Field(ge=1)] = 10
    updates: Annotated[int, Field(ge=1, le=100_000)] = 500  # of each fit
    batch: Annotated[int, Field(ge=2, le=4096)] = 128
    width: Annotated[int, Field(ge=16, le=1024)] = 64
    learning_rate: Positive = 1e-3
