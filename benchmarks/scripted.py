"""A simulated system in lock-step that learns nothing, and the scripted person in front of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot_rl.config import Task, load_cell
from robot_rl.rehearsal.client import LiveClient
from robot_rl.rehearsal.expert import expert_for
from robot_rl.rehearsal.operator import OperatorSettings
from robot_rl.rehearsal.pilot import Pilot
from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.session import settle
from robot_rl.rehearsal.system import System, SystemSettings

CELL = "simulation"


@contextmanager
def scripted(
    task: Task, data: Path, operator: OperatorSettings | None = None
) -> Iterator[tuple[System, Pilot]]:
    """The pilot has joined, and leaves at the end. Without `operator` nobody helps a policy."""
    assert task.simulation is not None
    cell = load_cell(CELL)
    settings = SystemSettings(
        cell=CELL,
        task=os.fspath(task.path),
        data=data,
        port=0,
        lockstep=True,
        lockstep_clients=1,
        learner=False,
    )
    with System(settings) as system:
        pilot = Pilot(
            lambda: LiveClient(system.url, cell.robot, system.tokens.operator, truth=True),
            expert_for(task.simulation.scene, task.action.scale),
            operator or OperatorSettings(interventions=False),
            lockstep=True,
            seed=0,
        )
        pilot.join()
        yield system, pilot
        pilot.leave()
        pilot.close()


def recorded(system: System, pilot: Pilot, task: Task) -> Record:
    """Everything, once it is stored."""
    return settle(system, {load_cell(CELL).robot: pilot}, task.name)
