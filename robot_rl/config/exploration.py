"""`[exploration]` of a task file: how the acting policy tries things beside what it knows."""

from typing import Annotated

from pydantic import Field

from robot_rl.config.section import Section


class Exploration(Section):
    """In training episodes; an evaluation explores nothing."""

    # From step to step: 0 is white noise, which averages out before it has led anywhere.
    noise_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # That a gripper begins to try another order, in each step; how long it then keeps to it.
    gripper_probability: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    gripper_steps: Annotated[int, Field(ge=1, le=50)] = 3
