"""What of ours a policy from elsewhere sees, and what its outputs mean: in a task's `[policy]`, or
in a file beside the policy, over which the task file has the say, key by key.
"""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from robot_rl.config.section import Positive, Section

type Factor = Annotated[float, Field(ge=-1e6, le=1e6)]

UNFED = ""
"""In the place of a camera: this image is left dark. In that of a column: it is not used."""


class OutputMapping(Section):
    """`[policy.action]`: the outputs of the policy, in its own order.

    unit: of the normalised −1 … 1 of the task's `[action]`; or metres and radians of each step; or
    millimetres and degrees. frame: in which axes it moves, those of the base or of the hand as it
    stands at that step. gripper: a positive output opens, or closes; or the opened, or closed,
    share of 0 … 1.
    """

    columns: tuple[str, ...] = ()  # of the task's action; none: those that its size fits
    unit: Literal["normalised", "m_rad", "mm_deg"] = "normalised"
    frame: Literal["tcp_in_base", "tcp"] = "tcp_in_base"
    gripper: Literal["opens", "closes", "open_share", "closed_share"] = "opens"

    @model_validator(mode="after")
    def _columns_are_given_once(self) -> Self:
        named = [name for name in self.columns if name != UNFED]
        twice = [name for name, count in Counter(named).items() if count > 1]
        if twice:
            raise ValueError(f"action.columns names {twice[0]!r} twice: a column has one output")
        return self


class PolicyMapping(Section):
    """Keys of `[policy]`; all of robot_rl.json."""

    # Image of the policy → our camera; none given: the last part of its name.
    cameras: dict[str, str] = Field(default_factory=dict)
    # Named state in the order that the policy takes it, or that `robot-rl clone` gives it to see;
    # none: what every arm measures.
    state: tuple[str, ...] = ()
    # By what a named state is multiplied before the policy sees it: its units are others.
    state_scale: dict[str, Factor] = Field(default_factory=dict)
    action: OutputMapping = OutputMapping()
    fps: Positive | None = None  # of what it was trained on: its actions are that long
    # File of normalisation statistics as LeRobotDataset has them (meta/stats.json), from the file
    # on that names it; in place of those that came with the policy.
    statistics: str = ""

    @model_validator(mode="after")
    def _scales_concern_the_state(self) -> Self:
        unknown = sorted(set(self.state_scale) - set(self.state))
        if unknown:
            raise ValueError(
                f"state_scale names {unknown[0]!r}, which is not in state: list it there, or take "
                "it out"
            )
        return self

    def over(self, other: "PolicyMapping") -> "PolicyMapping":
        """`other`, with what is set here in its place."""
        chosen = self.model_fields_set & PolicyMapping.model_fields.keys()
        return other.model_copy(update={name: getattr(self, name) for name in chosen})
