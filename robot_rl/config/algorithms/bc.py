"""Settings of behaviour cloning (robot_rl.learner.algorithms.bc)."""

from typing import Annotated, ClassVar

from pydantic import Field

from robot_rl.config.learner import LearnerSection


class BcSettings(LearnerSection):
    """`offline_updates`: on the starting policy's demonstrations, before the first step."""

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.bc:Bc"

    algorithm: str = "bc"
    offline_updates: Annotated[int, Field(ge=0, le=1_000_000)] = 2000


SETTINGS = BcSettings
