"""`[learner.fitness]` of a task file: what a version must not do to be offered to robots."""

from typing import Annotated

from pydantic import Field

from robot_rl.config.section import Fraction, NotNegative, Section


class FitnessSection(Section):
    """How much worse than the version before it a version may be on the recorded states (see
    robot_rl.learner.fitness). Two versions are seldom more than a hundred updates apart; the
    margins are what no such step does in normal training, and what a broken one does at once.
    """

    states: Annotated[int, Field(ge=32, le=4096)] = 256  # of each kind
    # Share of states in which every axis is at its limit: the fastest way to a far goal is there
    # in some states, and in all of them only when the weights have exploded.
    saturated_share: Fraction = 0.98
    # (−1 … 1)² an axis: half of full scale more from what people do, in the root mean square.
    human_error_margin: NotNegative = 0.25
    gripper_margin: Fraction = 0.5  # of human steps; a policy may learn that "stay" does as well
    # Of the reward of a success, or of the value of the version before it where that is greater:
    # critics that overestimate do so for both.
    value_margin: NotNegative = 0.5
