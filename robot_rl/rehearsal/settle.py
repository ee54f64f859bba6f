"""The end of the episodes: everything that was recorded arrives where it belongs."""

import time
from collections.abc import Iterable, Mapping

from robot_rl.rehearsal.pilot import Pilot
from robot_rl.rehearsal.record import Record, read_record
from robot_rl.rehearsal.system import System
from robot_rl.schema.policy import LearnerProgress

_SETTLE_S = 120.0  # for the last steps to be stored and read by the learner


def settle(system: System, pilots: Mapping[str, Pilot], task: str) -> Record:
    """Wait until everything recorded is stored and, with a learner, available to it."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        for pilot in pilots.values():
            pilot.idle(0.3)
        system.check()
        record = read_record(system.url, system.tokens.operator, task, pilots)
        shown = [pilot.seen.telemetry for pilot in pilots.values()]
        recorded = sum(0 if each is None else each.outbox.recorded_steps for each in shown)
        learned = learned_by(pilots.values())
        available = not system.settings.learner or (
            learned is not None and learned.env_steps == record.trainable_steps
        )
        if (recorded == record.records_stored and available) or time.monotonic() > deadline:
            return record


def learned_by(pilots: Iterable[Pilot]) -> LearnerProgress | None:
    """What the learner said last; every robot's operator hears it."""
    said = [pilot.seen.training.progress for pilot in pilots if pilot.seen.training is not None]
    return max((each for each in said if each is not None), key=_position, default=None)


def _position(progress: LearnerProgress) -> int:
    return progress.feed_cursor
