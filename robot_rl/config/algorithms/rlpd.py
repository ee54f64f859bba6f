"""Settings of RLPD (robot_rl.learner.algorithms.rlpd)."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from robot_rl.config.learner import LearnerSection
from robot_rl.config.section import Fraction, Positive


class RlpdSettings(LearnerSection):
    """Ball et al. 2023 make 20 critic updates a step (`updates_per_step`) to one of the actor
    (`critic_to_actor`), and leave `backup_entropy` out where the reward is sparse.
    """

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.rlpd:Rlpd"
    actor_critic: ClassVar[bool] = True

    algorithm: str = "rlpd"
    discount: Annotated[float, Field(gt=0, lt=1)] = 0.97
    critics: Annotated[int, Field(ge=2, le=10)] = 10
    critic_subsample: Annotated[int, Field(ge=1, le=10)] = 2
    target_rate: Fraction = 0.005
    initial_temperature: Positive = 1e-2
    target_entropy: Annotated[float, Field(ge=-4, le=0)] = -0.5  # see HilSerlSettings
    backup_entropy: bool = False
    return_floor: bool = False  # see HilSerlSettings
    critic_to_actor: Annotated[int, Field(ge=1, le=20)] = 2
    # The starting policy knows more than new critics: they learn alone first, of successes and
    # failures of the start itself (WSRL, Zhou et al. 2024). With 1000 lift_cube is forgotten.
    critic_warmup_updates: Annotated[int, Field(ge=0)] = 4000
    gripper_temperature: Positive = 0.02  # reward; robot_rl.learner.sac.follow_values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.critic_subsample > self.critics:
            raise ValueError(
                f"critic_subsample = {self.critic_subsample} is more than critics = "
                f"{self.critics}: lower it, or raise critics"
            )
        return self


SETTINGS = RlpdSettings
