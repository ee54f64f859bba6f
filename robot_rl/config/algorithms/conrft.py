"""Settings of ConRFT (robot_rl.learner.algorithms.conrft)."""

from typing import Annotated, ClassVar

from pydantic import Field

from robot_rl.config.learner import LearnerSection
from robot_rl.config.section import Fraction, NotNegative, Positive


class ConrftSettings(LearnerSection):
    """As published, but in units of a reward of 1 for success in place of 10: `conservatism` (0.1
    in the code) and its `temperature` (1) are a tenth. The published offline stage has 20,000
    updates.
    """

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.conrft:Conrft"
    actor_critic: ClassVar[bool] = True
    heads: ClassVar[tuple[str, ...]] = ("consistency", "gaussian")

    algorithm: str = "conrft"
    discount: Annotated[float, Field(gt=0, lt=1)] = 0.98
    critics: Annotated[int, Field(ge=2, le=10)] = 2
    target_rate: Fraction = 0.005
    critic_to_actor: Annotated[int, Field(ge=1, le=20)] = 2
    gripper_temperature: Positive = 0.02  # in units of reward; a gripper follows softmax(Q_g / τ)
    # On the demonstrations, before the first step: Cal-ConRFT.
    offline_updates: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    conservatism: NotNegative = 0.01  # α
    temperature: Positive = 0.1
    sampled_actions: Annotated[int, Field(ge=1, le=100)] = 10  # of each of three kinds
    offline_clone_weight: NotNegative = 1.0  # β
    offline_q_weight: NotNegative = 0.0  # η; 0 in the released scripts, 0.1 in the paper
    # While it acts: HIL-ConRFT.
    clone_weight: NotNegative = 0.1
    q_weight: NotNegative = 1.0


SETTINGS = ConrftSettings
