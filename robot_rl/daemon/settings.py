"""What every process of the robot PC is started with, plain and frozen."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from robot_rl.config import Cell, Task, check_fit
from robot_rl.daemon.memory_folder import new_memory_folder
from robot_rl.daemon.outbox.file import OUTBOX
from robot_rl.daemon.outbox.sent import SENT
from robot_rl.schema.message import new_id

TURN_NS = 50_000_000
"""Lock-step: virtual time between two turns of the operator."""
MEETING_STEPS = 20
"""Lock-step without a learner: steps between two looks at which policy is wanted."""


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
    lockstep_clients: int = 0  # virtual time begins when so many have joined
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
        if self.lockstep_clients and not self.lockstep:
            raise ValueError("lockstep_clients: without lock-step nobody is waited for")
        check_fit(self.cell, self.task)
        if self.lockstep:
            _check_virtual_time(self.cell, self.task, self.link_delay_ns)

    @property
    def control_period_ns(self) -> int:
        return round(1e9 / self.cell.control.rate_hz)

    @property
    def meeting_ns(self) -> int:
        """Lock-step: virtual time between two waits for the durable path and the learner."""
        return (self.learner_lag_steps or MEETING_STEPS) * self.task.step_ns

    @property
    def link_delay_ns(self) -> tuple[int, int]:
        """After how long, at least and at most, a client's word reaches the robot. A real cell has
        a line of its own.
        """
        simulation = self.task.simulation
        if simulation is None or not self.cell.simulated:
            return 0, 0
        least, most = simulation.link_delay_s
        return round(least * 1e9), round(most * 1e9)

    @property
    def outbox_file(self) -> Path:
        return self.data_folder / OUTBOX

    @property
    def sent_file(self) -> Path:
        return self.data_folder / SENT

    @property
    def policy_folder(self) -> Path:
        """Downloaded versions; `robot_rl/policy/versions.py` says how they lie there."""
        return self.data_folder / "policies"

    @property
    def log_file(self) -> Path:
        return self.data_folder / "daemon.log"

    @property
    def starts_file(self) -> Path:
        """How often control was started: its leases never use an epoch twice."""
        return self.data_folder / "control_starts"

    @property
    def latch_file(self) -> Path:
        """Where control keeps a latched stop or fault, so that a restart does not clear it."""
        return self.data_folder / "latch.json"

    @property
    def profiles_file(self) -> Path:
        """Where control keeps the limit profiles that a person switched on."""
        return self.data_folder / "limit_profiles.json"


def _check_virtual_time(cell: Cell, task: Task, link_delay_ns: tuple[int, int]) -> None:
    """In lock-step all happens at ticks of control, or at a known fraction of a period after one.

    Raises ValueError.
    """
    real = [name for name in cell.cameras if not cell.drawn(name)]
    if real:
        raise ValueError(
            f"lockstep: the camera {real[0]} of the cell {cell.name} is a real one, and virtual "
            "time cannot wait for it: start without lock-step"
        )
    period_ns = round(1e9 / cell.control.rate_hz)
    for name, duration_ns in (
        ("step_s", task.step_ns),
        ("action_delay_s", task.action_delay_ns),
        ("a turn of the operator", TURN_NS),
        *(("simulation.link_delay_s", end_ns) for end_ns in link_delay_ns),
    ):
        if duration_ns % period_ns:
            raise ValueError(
                f"lockstep: {name} is {duration_ns / 1e9:g} s and a control period of the cell "
                f"{cell.name} {period_ns / 1e9:g} s: in lock-step it must be a whole number of "
                "periods; correct the task's step_s or action_delay_s, or the cell's "
                "control.rate_hz"
            )
