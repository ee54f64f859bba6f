"""What every section of a configuration file has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

type ArmName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
type Positive = Annotated[float, Field(gt=0)]
type NotNegative = Annotated[float, Field(ge=0)]
type Fraction = Annotated[float, Field(ge=0, le=1)]
type Triple = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
type PositiveTriple = Annotated[tuple[Positive, ...], Field(min_length=3, max_length=3)]


class Section(BaseModel):
    """Frozen; unknown keys and non-finite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
