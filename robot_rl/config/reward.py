"""`[reward]` of a task file: what success is worth, and whose word on it counts."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from robot_rl.config.section import Section
from robot_rl.schema.transition import RewardSource


class ClassifierChoice(Section):
    """`[reward.classifier]`: which trained classifier judges the pictures of every step, and when
    its word is a success. Without reward.source = "classifier" it is evidence only.
    """

    folder: str  # relative to the task file
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]  # of its weights, or how it begins
    # Of its probability. None: as it was trained for.
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    consecutive: Annotated[int, Field(ge=1, le=20)] = 2  # steps at or above it that are a success


class Reward(Section):
    """Derived by the learner from the recorded evidence and the latest labels."""

    success: float = 1.0
    step: float = 0.0
    gripper_change: Annotated[float, Field(le=0)] = -0.02
    source: RewardSource = "simulator"
    classifier: ClassifierChoice | None = None

    @model_validator(mode="after")
    def _has_what_judges(self) -> Self:
        if self.source == "classifier" and self.classifier is None:
            raise ValueError(
                "reward.source is 'classifier', and there is no [reward.classifier] with its "
                "folder and sha256: train one with `robot-rl reward train`, which prints both"
            )
        return self
