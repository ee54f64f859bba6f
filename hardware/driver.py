"""What every driver has in common: it is found by its name, and brings its own settings."""

from pydantic import BaseModel, ConfigDict


class DriverSettings(BaseModel):
    """A driver's section of a cell file: frozen, with no unknown keys and no non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    driver: str  # the name of the entry point
