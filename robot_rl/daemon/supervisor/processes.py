"""The process table of the robot PC: everything that runs, in the order in which it is started.
Arms and cameras have a row for each that the cell names.

What is special about a process stands in its row; nothing else in the supervisor knows a name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from functools import partial
from importlib import import_module
from typing import Any

from hardware.simulation_topics import CANNOT_DRAW
from robot_rl.daemon.devices.launch import drawn_scene, hosted_arm, real_camera
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.memory import Memory
from safety.vocabulary import ONLY_ARM

CONTROL_PRIORITY = 80
"""SCHED_FIFO of control; `doctor` asks for it and the benchmark of control runs with it."""
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}  # a BLAS that spins would take the core away from control


class WhenItDies(Enum):
    """What the supervisor does about it."""

    END = "the daemon ends"  # there is no robot without it
    LATCH = "the robot is stopped and latched, then it is started again"
    RESTART = "it is started again, later each time"


class LockstepRole(Enum):
    """What it is in lock-step."""

    OWNER = "it lets time pass"
    PARTY = "time waits for it"
    GUEST = "it has its turns in the arm's process, and none of its own"
    NONE = "time passes without it"


class Orphaned(Enum):
    """How it notices that the supervisor is gone."""

    BY_ITSELF = "its own loop looks; nothing ends it from outside"
    SIGNALLED = "its own loop looks, and the kernel sends SIGTERM at once"
    WATCHED = "the kernel sends SIGTERM, and a thread ends it if it hangs"


class Ends(IntEnum):
    """When the daemon ends, in which order; after the first ones the arm is given time to stand."""

    FIRST = 0  # what makes the robot move
    THEN = 1  # what commands the arm
    LATE = 2
    LAST = 3  # the arm: it sees that commands stop, brakes, and is asked to end


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEntry:
    """One row of the table. `target` is `module:function`, imported in the child only."""

    name: str
    target: str
    argument: Callable[[DaemonSettings], Any]  # called in the child
    when_it_dies: WhenItDies
    needed: Callable[[DaemonSettings], bool] = lambda _: True
    ready: Callable[[Memory], bool] | None = None
    """Whether it has begun its work. A LATCH is needed only for what has."""
    holds_up: bool = False  # the rows with `waits` are started once it is ready
    waits: bool = False
    virtual_time: LockstepRole = LockstepRole.NONE
    orphaned: Orphaned = Orphaned.WATCHED
    ends: Ends = Ends.LATE
    ask_to_end: Callable[[Memory], None] | None = None  # None: SIGTERM
    priority: int | None = None  # SCHED_FIFO that it asks for; passed to `target`
    hopeless_exit: int | None = None  # an exit code that no restart would mend
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def party(self) -> bool:
        """Whether virtual time waits for it."""
        return self.virtual_time is LockstepRole.PARTY


def _itself(settings: DaemonSettings) -> DaemonSettings:
    return settings


def arm_entry(name: str, *, simulated: bool) -> ProcessEntry:
    """The row of one arm. Without it there is no robot."""
    return ProcessEntry(
        name="arm" if name == ONLY_ARM else f"arm_{name}",
        target="hardware.arm_process:main",
        argument=partial(hosted_arm, name),
        when_it_dies=WhenItDies.END,
        ready=partial(_arm_spoke, name),
        holds_up=True,
        virtual_time=LockstepRole.OWNER if simulated else LockstepRole.NONE,
        orphaned=Orphaned.BY_ITSELF,  # it brakes first, because commands stop
        ends=Ends.LAST,
        ask_to_end=partial(_ask_arm_to_end, name),
        priority=70,  # below control's: a slow tick of the arm cannot hold back the gate
        environment=_ONE_THREAD,
    )


def _with_guest(arm: ProcessEntry) -> ProcessEntry:
    """The simulated arm's row in lock-step. Control is in it: when that fails the daemon ends, and
    nothing real moves that would have to be latched.
    """
    return replace(arm, target="robot_rl.daemon.supervisor.lockstep_arm:main", argument=_itself)


def _arm_spoke(name: str, memory: Memory) -> bool:
    return memory.arm_spoke(name)


def _ask_arm_to_end(name: str, memory: Memory) -> None:
    memory.ask_arm_to_end(name)


def _cameras(settings: DaemonSettings) -> tuple[ProcessEntry, ...]:
    """One row for all that the simulation draws, and one for each real one: one that hangs holds up
    no other.
    """
    cell = settings.cell
    simulation = cell.simulation
    real = tuple(
        ProcessEntry(
            name=f"camera_{name}",
            target="robot_rl.daemon.devices.camera_process:main",
            argument=partial(real_camera, name),
            when_it_dies=WhenItDies.RESTART,
            environment=_ONE_THREAD,
        )
        for name in cell.cameras
        if not cell.drawn(name)
    )
    if simulation is None or simulation.draws_itself or len(real) == len(cell.cameras):
        return real
    drawn = ProcessEntry(
        name="camera",
        target=simulation.renderer,
        argument=drawn_scene,
        when_it_dies=WhenItDies.RESTART,
        virtual_time=LockstepRole.PARTY,
        hopeless_exit=CANNOT_DRAW,
        environment=_ONE_THREAD,
    )
    return (drawn, *real)


TABLE: tuple[ProcessEntry, ...] = (
    ProcessEntry(
        name="control",
        target="robot_rl.daemon.control.process:main",
        argument=_itself,
        when_it_dies=WhenItDies.LATCH,
        ready=Memory.control_spoke,
        waits=True,
        virtual_time=LockstepRole.GUEST,
        orphaned=Orphaned.SIGNALLED,  # nobody else commands the arm, whatever became of us
        ends=Ends.THEN,
        priority=CONTROL_PRIORITY,
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="actor",
        target="robot_rl.daemon.actor.process:main",
        argument=_itself,
        waits=True,
        when_it_dies=WhenItDies.RESTART,
        virtual_time=LockstepRole.PARTY,
        ends=Ends.FIRST,  # its first act is to have control hold; then it closes the outbox
        hopeless_exit=4,  # robot_rl.daemon.actor.process.NO_POLICY
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="link",
        target="robot_rl.daemon.link.process:main",
        argument=_itself,
        when_it_dies=WhenItDies.RESTART,
        virtual_time=LockstepRole.PARTY,
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="teleop",
        target="robot_rl.daemon.devices.teleop_process:main",
        argument=_itself,
        needed=lambda settings: bool(settings.cell.teleop),
        when_it_dies=WhenItDies.RESTART,
        ends=Ends.FIRST,
        environment=_ONE_THREAD,
    ),
)


def needed(settings: DaemonSettings) -> tuple[ProcessEntry, ...]:
    """The rows that this cell needs, in order: its arms, those of the table, its cameras."""
    cell, table = settings.cell, TABLE
    arms = tuple(arm_entry(name, simulated=cell.simulated) for name in cell.arms)
    if settings.lockstep:
        arms = tuple(map(_with_guest, arms))
        table = tuple(entry for entry in table if entry.virtual_time is not LockstepRole.GUEST)
    return (*arms, *(entry for entry in table if entry.needed(settings)), *_cameras(settings))


def resolve(target: str) -> Callable[..., None]:
    """`module:function` → the function."""
    module, function = target.split(":")
    return getattr(import_module(module), function)
