"""How a cell runs its gate."""

import math
from dataclasses import dataclass

from safety.limits import LimitError

_TIMES = ("period_s", "command_life_s", "observation_age_s", "measurement_age_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    period_s: float
    command_life_s: float = 0.1
    """A driver brakes when its command is older than this."""
    observation_age_s: float = 1.0
    """An action may rest on an observation this old; covers latency and the chunk's horizon."""
    measurement_age_s: float = 0.1
    risk_required: bool = False
    """A policy's action without a risk counts as risk 1."""
    risk_threshold: float | None = None
    """Of the task, beside the critic's own: the stricter one counts. None: the critic's alone."""

    def __post_init__(self) -> None:
        for name in _TIMES:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise LimitError(f"{name} is {value}; it must be finite and greater than 0.")
        threshold = self.risk_threshold
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise LimitError(f"risk_threshold is {threshold}; it must be between 0 and 1.")
