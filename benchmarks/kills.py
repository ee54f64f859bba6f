"""A learner that is killed, stopped or out of disk goes on as if it had never been.

A real server holds recorded episodes. A learner in lock-step trains on all of them, and every batch
(a hash over all its columns) and every loss (all its bits) is noted: the reference. Then the same
again in new folders, by learners that are killed (SIGKILL) at random moments of their lives, start
and reading included; told to stop (SIGINT, SIGTERM); and whose disk, a small file system in memory,
is filled for a while. What any of them ever did for update N must be what the reference did, and
the state in the end must hold the same tensors. States are saved several times a second, not every
30 s, so that kills fall into saving too. Another seed, as a control, must give other batches.
"""

import functools
import hashlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import numpy as np
from safetensors.numpy import load_file

from benchmarks.measurement import Machine, Result, Target, noise_us
from benchmarks.recorded_feed import LEARNER_TOKEN, recorded_feed
from robot_rl import durable_file
from robot_rl.commands.problems import plain
from robot_rl.config import load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.learner import process
from robot_rl.learner.algorithm import Metrics
from robot_rl.learner.checkpoint import read_position
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.saved_state import STATE
from robot_rl.policy.starting import write_untrained

KILLS, KILLS_QUICK = 50, 2
STOPS, STOPS_QUICK = 10, 1
FILLS, FILLS_QUICK = 5, 1
EPISODES, EPISODES_QUICK, STEPS = 30, 8, 20
SAVE_EVERY_S = 0.2
DISK = "24m"
STOPS_BY = (signal.SIGTERM, signal.SIGINT)
INTERRUPTED = 130  # the command line's exit code for a signal before there is anything to end
_SEED = 3
_LONG_S = 600.0  # nothing takes so long
_CONTROL_UPDATES = 20
_LEARNER = {"batch": 64, "width": 64, "start_steps": 20, "critic_warmup_updates": 50}


# ---- in the learner's process --------------------------------------------------------------------


def learn(settings: process.LearnerSettings, trace: Path, log: Path) -> None:
    """A learner as the command line runs it, whose batches and losses go to `trace`."""
    with log.open("ab") as words:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
    for number in STOPS_BY:
        signal.signal(number, _interrupt)  # until the learner takes them itself
    process.SAVE_EVERY_S = SAVE_EVERY_S
    _note_batches(trace)
    try:
        process.run(settings)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        problem = plain(error)
        if problem is None:
            raise
        print(f"robot-rl: {problem}", file=sys.stderr, flush=True)
        sys.exit(problem.exit_code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _note_batches(trace: Path) -> None:
    lines = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sample, note = Replay.sample, process.Learner._note
    digests = [""]

    @functools.wraps(sample)
    def sampled(*arguments: object, **named: object) -> Batch:
        batch: Batch = sample(*arguments, **named)  # pyright: ignore[reportArgumentType]
        digest = hashlib.sha256()
        for _, values in sorted(batch.columns.items(), key=lambda item: repr(item[0])):
            digest.update(np.ascontiguousarray(values.numpy()).tobytes())
        digests[0] = digest.hexdigest()
        return batch

    def noted(self: process.Learner, metrics: Metrics) -> None:
        losses = {name: value.hex() for name, value in metrics.items()}
        line = json.dumps([self.algorithm.counts.updates, digests[0], losses]) + "\n"
        os.write(lines, line.encode())
        note(self, metrics)

    Replay.sample = sampled
    process.Learner._note = noted


# ---- beside it -----------------------------------------------------------------------------------


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


@dataclass(slots=True, kw_only=True)
class Life:
    """The learners of one folder, one after the other."""

    settings: process.LearnerSettings
    folder: Path
    log: Path
    learner: BaseProcess | None = None
    read: int = 0  # bytes of the trace
    newest: int = 0  # update
    saved_ns: int = 0  # when the state was saved whose cursor follows
    saved_cursor: int = 0
    lines: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])

    @property
    def trace(self) -> Path:
        return self.folder / "trace"

    @property
    def state(self) -> Path:
        return self.settings.data_folder / self.settings.task.name / STATE

    def start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.kills"])  # a start costs no import of torch
        arguments = (self.settings, self.trace, self.log)
        self.learner = context.Process(target=learn, args=arguments, daemon=True)
        self.learner.start()

    def look(self) -> int:
        """The newest update that was made."""
        with suppress(FileNotFoundError), self.trace.open("rb") as file:
            file.seek(self.read)
            new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self.read += len(whole)
            for line in whole.splitlines():
                update, digest, losses = json.loads(line)
                self.lines.append((update, digest, json.dumps(losses, sort_keys=True)))
                self.newest = update
        return self.newest

    def wait(self, done: Callable[[], bool], seconds: float = _LONG_S) -> bool:
        """Until `done`, or the time is over; RuntimeError when the learner ends by itself."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                return False
            if self.learner is None or not self.learner.is_alive():
                raise RuntimeError(f"the learner ended by itself:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.01)
        return True

    def cursor(self) -> int:
        """Of the newest saved state. That an update was once made says less: a learner that was
        killed before it saved makes it again.
        """
        saved_ns = self.state.stat().st_mtime_ns if self.state.exists() else 0
        if saved_ns != self.saved_ns:
            position = read_position(self.state)
            self.saved_ns, self.saved_cursor = saved_ns, position.cursor if position else 0
        return self.saved_cursor

    def settle(self) -> None:
        """Until it has saved from now on: it has started, and goes on from what it read."""
        seen = self.state.stat().st_mtime_ns
        self.wait(lambda: self.state.stat().st_mtime_ns != seen)

    def end(self, number: signal.Signals) -> int:
        """Its exit code."""
        assert self.learner is not None
        assert self.learner.pid is not None
        os.kill(self.learner.pid, number)
        self.learner.join(_LONG_S)
        code = self.learner.exitcode
        self.learner.close()
        self.learner = None
        if code not in (0, -number):
            print(f"exit code {code}: {self.log.read_text()[-500:]}", file=sys.stderr)
        self.look()
        return -1 if code is None else code


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
        settings = process.LearnerSettings(
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
            filler = disk / "filler"
            _fill(filler)
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


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Mounts a file system of its own there; yields why that is not possible, or nothing."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=30)
        problem = made.stderr.strip() if made.returncode else ""
    except OSError as error:
        problem = str(error)
    try:
        yield problem
    finally:
        if not problem:
            subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


def run(*, quick: bool = False) -> Result:
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    tally, plain_task = Tally(), load_task("lift_cube")
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        folder = Path(name)
        task = plain_task.model_copy(
            update={
                "policy": StartingPolicy(folder=str(folder / "policy")),
                "learner": plain_task.learner.model_copy(update=_LEARNER),
            }
        )
        write_untrained(folder / "policy", task, seed=0)
        episodes = EPISODES_QUICK if quick else EPISODES
        with recorded_feed(folder / "server", task, episodes=episodes, steps=STEPS) as url:
            trials = Trials(url, task, folder, tally)
            control = trials.control()
            trials.kill(KILLS_QUICK if quick else KILLS)
            trials.stop(STOPS_QUICK if quick else STOPS)
            with small_disk(folder / "disk") as problem:
                if not problem:
                    trials.fill(FILLS_QUICK if quick else FILLS, folder / "disk")
            reference = trials.reference
    return Result(
        bench="kills",
        machine=machine,
        targets=(
            _exactly("kills", tally.kills, KILLS_QUICK if quick else KILLS),
            _exactly("batches that differ", tally.batches_differ, 0),
            _exactly("updates whose losses differ", tally.losses_differ, 0),
            _exactly("states in the end that differ", tally.states_differ, 0),
            _exactly("states that cannot be read", tally.states_unreadable, 0),
            _exactly("stops that were no clean end", tally.stops_refused, 0),
            _exactly("full disks of which nothing was said", tally.silent, 0),
            _exactly("files left half written", tally.leftovers, 0),
            Target(
                name="control: batches that differ with another seed",
                value=control,
                unit="",
                op=">=",
                target=1,
            ),
        ),
        detail={
            "updates of an uninterrupted run": reference.last,
            "its time to the first update, s": reference.first_s,
            "its time to the last update, s": reference.last_s,
            "updates compared": tally.updates,
            "stops by SIGINT and SIGTERM": tally.stops,
            "full disks": tally.fills if not problem else f"not tried: {problem}",
            "what was said of a full disk": tally.sentence,
            "load at the end, 1 min": os.getloadavg()[0],
            "noise before: processor taken away, µs": noise,
        },
    )


def _exactly(name: str, value: int, target: int) -> Target:
    return Target(name=name, value=value, unit="", op="==", target=target)
