"""Settings of the fine-tuning of a LeRobot policy (robot_rl.learner.algorithms.vla_clone)."""

import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from robot_rl.config.fitness import FitnessSection
from robot_rl.config.learner import LearnerSection
from robot_rl.config.section import Positive


class VlaCloneSettings(LearnerSection):
    """`rank`: of LoRA; 0 trains whole weights. `targets`: the modules that train, as a regular
    expression over their whole names; none: those that LeRobot itself would adapt in this policy.
    """

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.vla_clone:VlaClone"
    heads: ClassVar[tuple[str, ...]] = ("tuned",)
    reads_features: ClassVar[bool] = False

    algorithm: str = "vla_clone"
    batch: Annotated[int, Field(ge=2, le=4096)] = 8
    learning_rate: Positive = 1e-4
    updates_per_step: Annotated[int, Field(ge=1, le=20)] = 1
    publish_every_s: Positive = 20.0
    publish_correction_s: Positive = 10.0
    # A policy of its own acts in every one of them, twice for each version.
    fitness: FitnessSection = FitnessSection(states=32)
    rank: Annotated[int, Field(ge=0, le=256)] = 16
    targets: str = ""
    clip_gradient: Positive = 10.0  # of the norm of all gradients, as LeRobot's SmolVLA and ACT

    @model_validator(mode="after")
    def _targets_can_be_read(self) -> Self:
        try:
            re.compile(self.targets)
        except re.error as error:
            raise ValueError(
                f"targets = {self.targets!r} is no regular expression ({error}): name modules as "
                "torch does, for example 'model.*(q|v)_proj'"
            ) from error
        return self


SETTINGS = VlaCloneSettings
