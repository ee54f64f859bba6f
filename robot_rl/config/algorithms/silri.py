"""Settings of SiLRI (robot_rl.learner.algorithms.silri)."""

from typing import Annotated, ClassVar

from pydantic import Field

from robot_rl.config.learner import LearnerSection
from robot_rl.config.section import Fraction, NotNegative, Positive


class SilriSettings(LearnerSection):
    """`human_models`: more than one also know where nobody has shown anything, because they
    disagree there; the released code has one.
    """

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.silri:Silri"
    actor_critic: ClassVar[bool] = True

    algorithm: str = "silri"
    discount: Annotated[float, Field(gt=0, lt=1)] = 0.97
    critics: Annotated[int, Field(ge=2, le=10)] = 2
    target_rate: Fraction = 0.005
    critic_to_actor: Annotated[int, Field(ge=1, le=20)] = 2
    critic_warmup_updates: Annotated[int, Field(ge=0)] = 1000
    gripper_temperature: Positive = 0.02  # in units of reward; a gripper follows softmax(Q_g / τ)
    human_models: Annotated[int, Field(ge=1, le=10)] = 5
    # Squared distance to the person that is allowed beside their uncertainty, in normalised action.
    tolerance: NotNegative = 0.1
    # Slower than all else. The released code has 3e-6, at which λ hardly moves in the few thousand
    # updates of a session on two cores.
    multiplier_learning_rate: Positive = 1e-4


SETTINGS = SilriSettings
