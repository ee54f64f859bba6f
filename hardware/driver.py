"""What every driver has in common: it is found by its name, brings its own settings, and may say
which of its devices are attached.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A device that is plugged in, found without opening it."""

    name: str  # by which people know it: a serial number, a path
    problem: str = ""  # why it cannot be used as it is; empty: it can
    mend: str = ""  # what to do then


type Attachments = Callable[[], Sequence[Attached]]
"""What is plugged in, of a driver's devices; opens and moves nothing. It may load the device
library, and raise whatever that raises: it is called in a process of its own.
"""


class DriverSettings(BaseModel):
    """A driver's section of a cell file: frozen, with no unknown keys and no non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    driver: str  # the name of the entry point

    @property
    def meaning(self) -> str:
        """What of these settings gives recorded data its meaning (robot_rl.config.identity)."""
        return self.driver

    def among(self, attached: Sequence[Attached]) -> Attached:
        """The device that this section means: any that can be used, unless its driver says more.

        Raises LookupError with a sentence when it is not there.
        """
        if not attached:
            raise LookupError("none is attached")
        return next((each for each in attached if not each.problem), attached[0])
