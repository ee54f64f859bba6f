"""What every process of the robot PC is started with, plain and frozen."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from robot_rl.config import Cell, Task
from robot_rl.schema.message import new_id

SHARED_MEMORY = Path("/dev/shm")


def new_memory_folder() -> Path:
    """A name no other daemon has; the supervisor makes the folder and removes it at the end."""
    return SHARED_MEMORY / f"robot-rl-{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """One daemon: one robot, one task, one run."""

    cell: Cell
    task: Task
    data_folder: Path  # outbox, policies, log, latched state: survives restarts
    server_url: str | None = None  # http(s)://host:port; None: record without a server
    token: str = ""  # the robot's bearer token at the server
    lockstep: bool = False  # virtual time; simulated cells only
    seed: int = 0  # root seed of the run
    learner_lag_steps: int | None = None  # lock-step with a learner: how far it may fall behind
    run_id: UUID = field(default_factory=new_id)
    memory: Path = field(default_factory=new_memory_folder)  # the shared-memory folder

    def __post_init__(self) -> None:
        if self.lockstep and not self.cell.simulated:
            raise ValueError(
                f"lockstep: the cell {self.cell.name} is not simulated, and only a simulator can "
                "wait; start without lock-step"
            )
        if self.server_url is not None and not self.server_url.startswith(("http://", "https://")):
            raise ValueError(
                f"server_url is {self.server_url!r}: it must start with http:// or https://"
            )
        if self.learner_lag_steps is not None and self.learner_lag_steps < 1:
            raise ValueError(f"learner_lag_steps is {self.learner_lag_steps}: 1 or more is allowed")
        missing = sorted(set(self.task.cameras) - set(self.cell.cameras))
        if missing:
            raise ValueError(
                f"the task {self.task.name} needs the camera {missing[0]!r}, and the cell "
                f"{self.cell.name} has: {', '.join(sorted(self.cell.cameras))}"
            )

    @property
    def outbox_file(self) -> Path:
        return self.data_folder / "outbox.sqlite"

    @property
    def policy_folder(self) -> Path:
        """Downloaded weights and backbones; robot_rl.daemon.download says how they lie there."""
        return self.data_folder / "policies"

    @property
    def log_file(self) -> Path:
        return self.data_folder / "daemon.log"

    @property
    def latch_file(self) -> Path:
        """Where control keeps a latched stop or fault, so that a restart does not clear it."""
        return self.data_folder / "latch.json"
