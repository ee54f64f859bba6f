"""Settings of Hi-ORS (robot_rl.learner.algorithms.hi_ors)."""

from typing import ClassVar

from robot_rl.config.learner import LearnerSection


class HiOrsSettings(LearnerSection):
    """Nothing beside what every algorithm needs: there is no value to tune."""

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.hi_ors:HiOrs"

    algorithm: str = "hi_ors"


SETTINGS = HiOrsSettings
