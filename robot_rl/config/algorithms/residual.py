"""Settings of a residual on a frozen policy (robot_rl.learner.algorithms.residual)."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from robot_rl.config.algorithms.rlpd import RlpdSettings


class ResidualSettings(RlpdSettings):
    """Critics as of RLPD. `scale`: how far the correction may take an axis from the frozen policy's
    action, of full scale.
    """

    implementation: ClassVar[str] = "robot_rl.learner.algorithms.residual:Residual"
    heads: ClassVar[tuple[str, ...]] = ("gaussian", "residual")

    algorithm: str = "residual"
    scale: Annotated[float, Field(le=2)] = 0.3

    @model_validator(mode="after")
    def _corrects_something(self) -> Self:
        if self.scale <= 0:
            raise ValueError(
                f"scale = {self.scale:g} lets the correction change nothing: give a share of full "
                "scale above 0, at most 2"
            )
        return self


SETTINGS = ResidualSettings
