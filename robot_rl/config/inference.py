"""`[inference]` of a task file: how old what is followed may be, how chunks join."""

from typing import Annotated

from pydantic import Field

from robot_rl.config.section import Section


class InferenceSection(Section):
    """For a policy that answers in chunks and thinks longer than a step."""

    # What control follows was observed so long ago at most. Not given: 1 s, or ten steps where
    # those are longer.
    observation_age_s: Annotated[float, Field(gt=0, le=10)] | None = None
    # Where the policy cannot go on from what runs by itself: whether a chunk begins on the path of
    # the one before it, and leads from there to its own.
    blend: bool = True
    # A policy that thinks longer while it should drive is given up, and its episode is aborted.
    answer_s: Annotated[float, Field(ge=1, le=600)] = 10.0
