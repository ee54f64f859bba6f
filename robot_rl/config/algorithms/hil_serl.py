"""Settings of HIL-SERL (robot_rl.learner.algorithms.hil_serl)."""

from typing import Annotated, ClassVar

from pydantic import Field

from robot_rl.config.learner import LearnerSection
from robot_rl.config.section import Fraction, NotNegative, Positive


class HilSerlSettings(LearnerSection):
    """`clone_weight` adds the cloning term of HIL-ConRFT's actor loss on human steps. With
    `clone_half_life_steps` it is halved every so many received steps, down to `clone_weight_end`.
    """

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.hil_serl:HilSerl"
    actor_critic: ClassVar[bool] = True

    algorithm: str = "hil_serl"
    discount: Annotated[float, Field(gt=0, lt=1)] = 0.97
    critics: Annotated[int, Field(ge=2, le=10)] = 2
    critic_subsample: Annotated[int, Field(ge=1, le=10)] = 2
    target_rate: Fraction = 0.005
    initial_temperature: Positive = 1e-2
    # nats an axis that the temperature holds; −0.5 is RLPD's, a standard deviation of 0.15 of full
    # scale, −1.5 one of 0.05. A new temperature needs thousands of updates to come down to it.
    target_entropy: Annotated[float, Field(ge=-4, le=0)] = -0.5
    critic_to_actor: Annotated[int, Field(ge=1, le=20)] = 2
    critic_warmup_updates: Annotated[int, Field(ge=0)] = 1000
    clone_weight: NotNegative = 1.0
    clone_half_life_steps: Annotated[int, Field(ge=0)] = 0  # 0: it stays
    clone_weight_end: NotNegative = 0.0
    balance_outcomes: bool = False  # D_on's half of a batch: as many successes as failures
    q_weight: NotNegative = 1.0
    # A target is never less than what was reached from there: values of a success do not need to
    # travel back from its end a step an update.
    return_floor: bool = False


SETTINGS = HilSerlSettings
