"""What a learner is started with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from robot_rl.config.task import Task
from robot_rl.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which of several processes this one is; the first one has number 0."""

    rank: int = 0
    processes: int = 1
    local_rank: int = 0  # among those of this machine

    @classmethod
    def of_torchrun(cls, environment: Mapping[str, str]) -> Self:
        """As torchrun says in the environment; alone without it. Raises BadInput."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        given = {name: environment[name] for name in names if name in environment}
        if "WORLD_SIZE" not in given or given["WORLD_SIZE"] == "1":
            return cls()
        if len(given) < len(names) or not all(each.isdigit() for each in given.values()):
            raise BadInput(
                "the environment has WORLD_SIZE, and not whole numbers in RANK and LOCAL_RANK "
                "beside it: start the learner with torchrun, or unset WORLD_SIZE"
            )
        rank, of, local_rank = (int(given[name]) for name in names)
        return cls(rank=rank, processes=of, local_rank=local_rank)


ALONE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    task: Task
    server_url: str
    token: str
    data_folder: Path
    lockstep: bool = False
    seed: int = 0
    place: Place = ALONE
