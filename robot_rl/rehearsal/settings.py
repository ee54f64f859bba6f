"""What a rehearsal is asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

type Killable = Literal["learner", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings:
    """As on the command line. `kill` names parts to SIGKILL and start again during the training."""

    cell: str
    task: str
    episodes: int = 80
    evaluations: int = 50
    demonstrations: int = 0
    real_time: bool = False
    minutes: float | None = None
    learner: bool = True
    interventions: bool = True
    reaction_s: float = 0.3
    noise: float = 0.1
    skill: float = 1.0
    seed: int = 0
    data: Path | None = None
    kill: tuple[Killable, ...] = ()
