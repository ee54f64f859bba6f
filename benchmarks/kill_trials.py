"""Learners that are killed, stopped and out of disk, compared with one that was left alone."""

import hashlib
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from benchmarks.killed_learner import INTERRUPTED, STOPS_BY, Life
from benchmarks.recorded_feed import LEARNER_TOKEN
from benchmarks.small_disk import fill
from robot_rl import durable_file
from robot_rl.config.task import Task
from robot_rl.learner.settings import LearnerSettings

_SEED = 3
_CONTROL_UPDATES = 20


@dataclass(slots=True)
class Tally:
    """What is counted over all learners that were not left alone."""

    kills: int = 0
    stops: int = 0
    fills: int = 0
    updates: int = 0  # that were made, again after a kill included
    batches_differ: int = 0
    losses_differ: int = 0
    states_unreadable: int = 0
    states_differ: int = 0
    stops_refused: int = 0  # exit codes of learners that were told to stop, other than 0
    leftovers: int = 0  # files that killed learners left half written
    silent: int = 0  # learners on a full disk that said nothing
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an uninterrupted learner did, and how long it took to its first and last update."""

    updates: dict[int, tuple[str, str]]  # digest of the batch, losses
    tensors: str
    cursor: int  # of the feed's last item
    first_s: float
    last_s: float

    @property
    def last(self) -> int:
        return max(self.updates)


class Trials:
    """All of it, on one recorded feed."""

    def __init__(self, url: str, task: Task, folder: Path, tally: Tally) -> None:
        self._url, self._task, self._folder, self._tally = url, task, folder, tally
        self._rng = random.Random(0)
        self._lives = 0
        steps = task.learner.start_steps
        self.reference = self._uninterrupted()
        assert steps < self.reference.last

    def _life(self, *, seed: int = _SEED, data: Path | None = None) -> Life:
        self._lives += 1
        folder = self._folder / f"life{self._lives}"
        folder.mkdir()
        settings = LearnerSettings(
            task=self._task,
            server_url=self._url,
            token=LEARNER_TOKEN,
            data_folder=data or folder,
            lockstep=True,
            seed=seed,
        )
        return Life(settings=settings, folder=folder, log=folder / "log")

    def _uninterrupted(self) -> Reference:
        life = self._life()
        began = time.monotonic()
        life.start()
        life.wait(lambda: life.look() > 0)
        first_s = time.monotonic() - began
        quiet = [0, time.monotonic()]

        def still() -> bool:
            if life.look() != quiet[0]:
                quiet[:] = [life.newest, time.monotonic()]
            return time.monotonic() - quiet[1] > 3.0 + first_s

        life.wait(still)
        last_s = quiet[1] - began
        life.end(signal.SIGTERM)
        return Reference(
            updates={update: (digest, losses) for update, digest, losses in life.lines},
            tensors=_tensors(life.state),
            cursor=life.cursor(),
            first_s=first_s,
            last_s=last_s,
        )

    def control(self) -> int:
        """How many of its first batches another seed draws otherwise."""
        life = self._life(seed=_SEED + 1)
        life.start()
        life.wait(lambda: life.look() >= _CONTROL_UPDATES)
        life.end(signal.SIGKILL)
        updates = self.reference.updates
        return sum(updates[update][0] != digest for update, digest, _ in life.lines)

    def kill(self, count: int) -> None:
        tally, life = self._tally, self._life()
        for _ in range(count):
            life.start()
            if life.wait(lambda life=life: self._through(life), self._moment_s()):
                self._finish(life)
                life = self._life()
                life.start()
                life.wait(lambda: False, self._moment_s())
            life.end(signal.SIGKILL)
            tally.kills += 1
            self._check_state(life)
        life.start()
        self._finish(life)

    def stop(self, count: int) -> None:
        tally, life = self._tally, self._life()
        for number in range(count):
            life.start()
            done = life.wait(lambda life=life: self._through(life), self._moment_s())
            if done:
                life.settle()
            code = life.end(STOPS_BY[number % 2])
            # The first moments are not the learner's yet: such a signal ends it like any program.
            early = (INTERRUPTED, *(-each for each in STOPS_BY))
            tally.stops_refused += code != 0 and (done or code not in early)
            tally.stops += 1
            self._check_state(life)
            if done:
                self._compare(life)
                life = self._life()
        life.start()
        self._finish(life)

    def fill(self, count: int, disk: Path) -> None:
        """Train, fill the disk, train on, stop in one of three ways, go on with space again."""
        for number in range(count):
            life = self._life(data=disk / f"fill{number}")
            life.start()
            life.wait(lambda: False, self._moment_s())
            filler = fill(disk)
            self._tally.fills += 1
            life.wait(lambda life=life: "No space left" in life.log.read_text())
            after = life.look()
            life.wait(lambda life=life, after=after: life.look() > after + 5, 5.0)
            how = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)[number % 3]
            life.end(how)
            said = [line for line in life.log.read_text().splitlines() if "No space left" in line]
            self._tally.silent += not said
            self._tally.sentence = said[-1] if said else ""
            self._check_state(life)
            life.start()  # with a disk that is full from the start
            life.wait(lambda: False, self._moment_s())
            life.end(signal.SIGKILL)
            self._check_state(life)
            filler.unlink()
            life.start()
            self._finish(life)

    def _moment_s(self) -> float:
        reference = self.reference
        training_s = reference.last_s - reference.first_s
        return self._rng.uniform(0.0, 2 * reference.first_s + training_s / 5)

    def _through(self, life: Life) -> bool:
        return life.cursor() >= self.reference.cursor

    def _finish(self, life: Life) -> None:
        life.wait(lambda: self._through(life))
        life.settle()
        self._tally.stops_refused += life.end(signal.SIGTERM) != 0
        self._compare(life)

    def _compare(self, life: Life) -> None:
        tally, reference = self._tally, self.reference
        done = {update for update, _, _ in life.lines}
        tally.batches_differ += len(reference.updates.keys() - done)
        for update, digest, losses in life.lines:
            expected = reference.updates.get(update, ("", ""))
            tally.updates += 1
            tally.batches_differ += expected[0] != digest
            tally.losses_differ += expected[1] != losses
        tally.states_differ += _tensors(life.state) != reference.tensors
        tally.leftovers += len(list(life.state.parent.glob(f".*{durable_file.PART}")))

    def _check_state(self, life: Life) -> None:
        if not life.state.exists():
            return  # it was ended before its first save
        try:
            _tensors(life.state)
        except Exception as error:  # noqa: BLE001  whatever is wrong with it is counted
            print(f"{life.state}: {error}", file=sys.stderr)
            self._tally.states_unreadable += 1


def _tensors(state: Path) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(load_file(state).items()):
        digest.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
