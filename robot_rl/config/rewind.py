"""`[rewind]` of a task file: how far and how fast the robot retraces its own motion, and when."""

from typing import Annotated, Literal

from pydantic import Field

from robot_rl.config.section import Section


class RewindSection(Section):
    """A person may always ask for it; `on_alarm` is what an alarm of the policy does.

    It goes back over whatever was not safe and, from there on, as far as the first one of
    `distance_m` and `time_s` allows (docs/safety.md).
    """

    # An alarm: a contact force beyond `[risk] force_n`, or its critic holds the policy back.
    on_alarm: Literal["hold", "rewind"] = "hold"
    distance_m: Annotated[float, Field(gt=0, le=0.5)] = 0.1  # of the arm that moved the most
    time_s: Annotated[float, Field(gt=0, le=30)] = 3.0  # in which something moved
    speed_m_s: Annotated[float, Field(gt=0, le=0.25)] = 0.1
