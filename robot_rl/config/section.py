"""What every section of a configuration file has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from safety.vocabulary import ONLY_ARM


def _not_the_only_arm(name: str) -> str:
    if name == ONLY_ARM:
        raise ValueError(
            f"{ONLY_ARM!r} is what the arm of a cell with one is called: choose another"
        )
    return name


type ArmName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_not_the_only_arm)
]
"""Of one of several arms."""
type Positive = Annotated[float, Field(gt=0)]
type NotNegative = Annotated[float, Field(ge=0)]
type Fraction = Annotated[float, Field(ge=0, le=1)]
type Triple = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
type PositiveTriple = Annotated[tuple[Positive, ...], Field(min_length=3, max_length=3)]


class Section(BaseModel):
    """Frozen; unknown keys and non-finite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
