"""The identity of the data that a cell and a task record, and which data may be mixed.

Provenance from before identities were kept holds hashes of whole files. What the files of the first
release meant is known; any other file is compared by its hash.
"""

from collections.abc import Iterable

from robot_rl.config.cell import Cell
from robot_rl.config.document import file_sha256
from robot_rl.config.task import Task
from robot_rl.schema.episode import Provenance
from robot_rl.schema.identity import DataIdentity, changes
from robot_rl.schema.step import prefix
from safety.vocabulary import ONLY_ARM

type Facts = dict[str, str]

_NOT_MEANING = {"serial", "device", "rate_hz"}
"""Of a camera: which one of its kind it is, and how often people see it."""
_CAMERA = "camera."
_SENSORS = "sensors"
_COLUMNS = "action.columns"

_FIRST_TASK: Facts = {
    "action.columns": "dx dy dz rx ry rz gripper",
    "action.gripper": "yes",
    "action.scale": "0.025 0.025 0.025 0 0 0",
    "action.space": "tcp_delta",
    "action_delay_s": "0.05",
    "cameras": "front wrist",
    "frame": "tcp_in_base",
    "step_s": "0.1",
}
FIRST_TASKS: dict[str, Facts] = {
    "e500c50ffda999b4f754e7ab6a605f69663ff61ce6fe9e835f676cfe985db4fb": _FIRST_TASK,  # lift_cube
    "858f7ced429551f5d72df4507bb8bcbd3bf184eedfa1b14b39be921e9eda8d57": _FIRST_TASK,  # insert_peg
}
FIRST_CELLS: dict[str, Facts] = {
    "a6b922f88ee96b348139aa80fd437d3fdf19dd0c6eaf9e0c21bda8a92c5cc5f6": {  # simulation
        "arm": "simulated_panda",
        "camera.front": "driver simulated, height 256, width 256",
        "camera.wrist": "driver simulated, height 256, width 256",
    },
}


def data_identity(cell: Cell, task: Task) -> DataIdentity:
    """Of what a robot with these two files records."""
    return DataIdentity(facts={**task_facts(task), **cell_facts(cell, task)})


def task_facts(task: Task) -> Facts:
    action = task.action
    return {
        _COLUMNS: " ".join(action.names),
        "action.gripper": "yes" if action.gripper else "no",
        "action.scale": _numbers(action.scale),
        "action.space": action.space,
        "action_delay_s": _numbers([task.action_delay_s]),
        "cameras": " ".join(task.cameras),
        "frame": "tcp_in_base" if action.space == "tcp_delta" else "joints",
        "step_s": _numbers([task.step_s]),
    }


def cell_facts(cell: Cell, task: Task) -> Facts:
    """The cameras that the task uses, and the arm."""
    drivers = [
        arm.arm.meaning if name == ONLY_ARM else f"{name} {arm.arm.meaning}"
        for name, arm in cell.arms.items()
    ]
    facts = {"arm": ", ".join(drivers)}
    sensors = [prefix(name) + each for name, named in cell.sensors.items() for each in named]
    if sensors:
        facts[_SENSORS] = " ".join(sensors)
    for name in task.cameras:
        settings = cell.cameras[name].model_dump(exclude=_NOT_MEANING)
        facts[_CAMERA + name] = ", ".join(f"{key} {settings[key]}" for key in sorted(settings))
    return facts


def action_names(provenance: Provenance, columns: int) -> tuple[str, ...]:
    """Names of the `columns` of the recorded actions, in order.

    Data from before names were kept has those of the first release; a number stands in where none
    are known.
    """
    identity = provenance.identity
    kept = None if identity is None else identity.facts.get(_COLUMNS)
    names = (kept or _FIRST_TASK[_COLUMNS]).split()
    if len(names) == columns:
        return tuple(names)
    return tuple(f"column{number}" for number in range(1, columns + 1))


class IdentityRule:
    """Which episodes are trained on together: those whose action space, step and cameras are the
    task file's, and whose arm and camera images are those of the first such episode.

    The same episodes in the same order give the same answers.
    """

    def __init__(self, task: Task) -> None:
        self._task = task_facts(task)
        self._task_sha256 = file_sha256(task.path)
        self._cameras = task.cameras
        self._measure: Provenance | None = None
        self._admitted: set[str] = set()

    def admit(self, sha256: str) -> None:
        """An engineer takes data of this identity in (Provenance.data_sha256)."""
        self._admitted.add(sha256)

    def refusal(self, provenance: Provenance) -> str:
        """Why no engineer can take this data in; empty when one may."""
        found = self._of_task(provenance)
        columns = None if found is None else found.get(_COLUMNS)
        wanted = self._task[_COLUMNS]
        if columns is None or columns == wanted:
            return ""
        return (
            f"its actions have the columns {columns} and the task's have {wanted}: they mean "
            "other motions and cannot be trained on together, so keep it for a task of its own"
        )

    def difference(self, provenance: Provenance) -> str:
        """Why an episode must not be mixed with the others; empty when it may be."""
        if provenance.data_sha256 in self._admitted:
            return ""
        found = self._of_task(provenance)
        if found is None:
            return (
                "the task file, which was another one and is not known (the data is from before "
                "its meaning was kept with it)"
            )
        differing = [*changes(found, self._task), *self._of_cell(provenance)]
        if not differing:
            self._measure_by(provenance)
        return ", ".join(differing)

    def _of_task(self, provenance: Provenance) -> Facts | None:
        identity = provenance.identity
        if identity is not None:
            return {name: identity.facts[name] for name in self._task if name in identity.facts}
        if provenance.task_sha256 == self._task_sha256:
            return self._task
        return FIRST_TASKS.get(provenance.task_sha256)

    def _of_cell(self, provenance: Provenance) -> Iterable[str]:
        """How arm and images differ from the measure, if there is one yet."""
        measure = self._measure
        if measure is None:
            return ()
        mine, other = self._cell_facts_of(provenance), self._cell_facts_of(measure)
        if mine is not None and other is not None:
            return changes(mine, other)
        same = (
            provenance.cell_sha256 == measure.cell_sha256
            or provenance.calibration_sha256 == measure.calibration_sha256
        )
        if same:
            return ()
        return (
            f"the cell file {provenance.cell_sha256[:12]} → {measure.cell_sha256[:12]} (data from "
            "before its meaning was kept with it)",
        )

    def _measure_by(self, provenance: Provenance) -> None:
        """The first episode that is taken in is the measure, or the first whose cell is known."""
        measure = self._measure
        if measure is None or (
            self._cell_facts_of(measure) is None and self._cell_facts_of(provenance) is not None
        ):
            self._measure = provenance

    def _cell_facts_of(self, provenance: Provenance) -> Facts | None:
        identity = provenance.identity
        facts = FIRST_CELLS.get(provenance.cell_sha256) if identity is None else identity.facts
        if facts is None:
            return None
        wanted = {"arm", _SENSORS, *(_CAMERA + name for name in self._cameras)}
        return {name: value for name, value in facts.items() if name in wanted}


def _numbers(values: Iterable[float]) -> str:
    """0.1 and 0.10, 1 and 1.0 are the same."""
    return " ".join(f"{value:.12g}" for value in values)
