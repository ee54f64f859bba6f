"""What the replay keeps of every record, as columns; nothing that a segment holds is dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self
from uuid import UUID

import numpy as np
from numpy.typing import DTypeLike, NDArray

from robot_rl.schema.step import Step
from robot_rl.schema.transition import is_decision
from safety.vocabulary import Phase, Source

type Array = NDArray[np.generic]

NOTHING = -1
"""In a column of whole numbers: the record has none."""
SOURCES = (Source.HOLD, Source.POLICY, Source.HUMAN, Source.REWIND, Source.RESET)
PHASES = (Phase.RECOVERY, Phase.CORRECTION)
"""Their places are the numbers in the columns `source` and `phase`, on disk too: add at the end."""
HUMAN = SOURCES.index(Source.HUMAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One entry per record: a number, an action or a vector of features."""

    dtype: DTypeLike
    absent: float  # what stands there when a record has none
    shape: Literal["number", "action", "features"] = "number"

    def empty(self, rows: int, *, action: int, features: int) -> Array:
        """Zeros, which take no memory until they are written."""
        width = {"number": (), "action": (action,), "features": (features,)}[self.shape]
        return np.zeros((rows, *width), self.dtype)


def _action() -> Column:
    return Column(dtype=np.float32, absent=np.nan, shape="action")


def _flag(absent: bool = False) -> Column:
    return Column(dtype=np.bool_, absent=absent)


def _whole(dtype: DTypeLike = np.int32) -> Column:
    return Column(dtype=dtype, absent=NOTHING)


def _real() -> Column:
    return Column(dtype=np.float32, absent=np.nan)


STORED: Mapping[str, Column] = {
    "features": Column(dtype=np.float32, absent=0.0, shape="features"),
    "seen": _flag(True),  # false: nobody looked; there are no features
    "executed": _action(),  # NaN where nothing was decided: the last record, the reset's motion
    "human": _action(),  # what a person did, imitated or not
    "commanded": _action(),  # what the driver asked for; NaN in older records too
    "proposed": _action(),
    "source": _whole(np.int8),
    "phase": _whole(np.int8),
    "success": _flag(),  # evidence: the simulator saw the task done
    "probability": _real(),  # evidence: the success classifier
    "terminated": _flag(),
    "truncated": _flag(),
    "risk": _real(),  # of the policy's own action
    "risk_threshold": _real(),
    "risk_calibrated": _real(),  # the critic's own threshold; NaN in older records too
    "limits": Column(dtype=np.uint32, absent=0),
    "policy_version": _whole(),
    "chunk_id": _whole(np.int64),
    "chunk_index": _whole(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Consecutive records of one episode: each column of STORED, (records, …)."""

    columns: Mapping[str, Array]
    episode_id: UUID | None = None  # None in files from before it was kept

    @classmethod
    def made(cls, given: Mapping[str, Array], episode_id: UUID | None = None) -> Self:
        """With what is absent in the columns that are not given. Raises KeyError: unknown name."""
        unknown = given.keys() - STORED.keys()
        if unknown:
            raise KeyError(f"{', '.join(sorted(unknown))} is no column; {', '.join(STORED)} are")
        records, features = given["features"].shape
        action = given["executed"].shape[1]
        columns: dict[str, Array] = {}
        for name, column in STORED.items():
            values = column.empty(records, action=action, features=features)
            values[...] = given.get(name, column.absent)
            columns[name] = values
        return cls(columns=columns, episode_id=episode_id)

    @classmethod
    def of(
        cls,
        steps: Sequence[Step],
        features: NDArray[np.float32],
        *,
        action: int,
        seen: Sequence[bool] | None = None,
    ) -> Self:
        """`features` (records, features) of the steps, in the same order; `action`: its columns."""
        given: dict[str, Array] = {
            "features": np.asarray(features, np.float32),
            "seen": np.array([True] * len(steps) if seen is None else seen),
            "executed": _actions([_decided(step) for step in steps], action),
            "human": _actions([step.human_action for step in steps], action),
            "commanded": _actions([step.commanded_action for step in steps], action),
            "proposed": _actions([step.proposed_action for step in steps], action),
            "source": np.array([SOURCES.index(step.source) for step in steps]),
            "phase": np.array([_phase(step) for step in steps]),
            "success": np.array([step.evidence.simulator_success is True for step in steps]),
            "probability": _numbers([step.evidence.classifier_probability for step in steps]),
            "terminated": np.array([step.terminated for step in steps]),
            "truncated": np.array([step.truncated for step in steps]),
            "risk": _numbers([step.risk for step in steps]),
            "risk_threshold": _numbers([step.risk_threshold for step in steps]),
            "risk_calibrated": _numbers([step.risk_calibrated for step in steps]),
            "limits": np.array([step.limits for step in steps]),
            "policy_version": _numbers([step.policy_version for step in steps], NOTHING),
            "chunk_id": _numbers([step.chunk_id for step in steps], NOTHING),
            "chunk_index": _numbers([step.chunk_index for step in steps], NOTHING),
        }
        return cls.made(given, steps[0].episode_id)

    def __len__(self) -> int:
        return len(self.columns["features"])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def part(self, start: int, end: int) -> "Trajectory":
        """Records `start` … `end` − 1."""
        columns = {name: values[start:end] for name, values in self.columns.items()}
        return Trajectory(columns=columns, episode_id=self.episode_id)


def _decided(step: Step) -> Sequence[float] | None:
    action = step.executed_action
    return action if is_decision(step.source, acted=action is not None) else None


def _phase(step: Step) -> int:
    return NOTHING if step.phase is None else PHASES.index(step.phase)


def _actions(actions: Sequence[Sequence[float] | None], size: int) -> NDArray[np.float32]:
    rows = [[np.nan] * size if action is None else action for action in actions]
    return np.array(rows, np.float32).reshape(-1, size)


def _numbers(values: Sequence[float | None], absent: float = np.nan) -> Array:
    return np.array([absent if value is None else value for value in values])
