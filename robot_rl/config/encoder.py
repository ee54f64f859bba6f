"""`[learner.encoder]` of a task file: whether, and how, the encoder goes on learning to see."""

from typing import Annotated

from pydantic import Field

from robot_rl.config.section import NotNegative, Positive, Section


class EncoderSection(Section):
    """The starting policy's encoder was trained on a few demonstrations; what is recorded later
    shows it more places than those. Only an encoder of our own (keypoint_cnn) can be refreshed.
    """

    # Received steps at which it is refreshed first, and then whenever they have doubled. 0: never.
    refresh_steps: Annotated[int, Field(ge=0)] = 0
    updates: Annotated[int, Field(ge=1, le=100_000)] = 400  # of each refresh
    batch: Annotated[int, Field(ge=2, le=1024)] = 32  # moments, each with a picture of each camera
    learning_rate: Positive = 5e-4
    episodes: Annotated[int, Field(ge=5)] = 200  # the newest ones that it is refreshed from
    # (−1 … 1)² an axis: by how much the refreshed encoder may change what the policy does.
    action_margin: NotNegative = 0.05
