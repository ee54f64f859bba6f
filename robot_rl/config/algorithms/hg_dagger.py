"""Settings of HG-DAgger (robot_rl.learner.algorithms.hg_dagger)."""

from typing import Annotated, ClassVar

from pydantic import Field

from robot_rl.config.learner import LearnerSection


class HgDaggerSettings(LearnerSection):
    """`offline_updates`: on the starting policy's demonstrations, before the first step."""

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.hg_dagger:HgDagger"

    algorithm: str = "hg_dagger"
    offline_updates: Annotated[int, Field(ge=0, le=1_000_000)] = 0


SETTINGS = HgDaggerSettings
