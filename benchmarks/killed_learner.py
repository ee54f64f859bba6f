"""A learner as a process that notes every batch and every loss, and can be killed and stopped."""

import functools
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import numpy as np

from robot_rl.commands.problems import plain
from robot_rl.learner import learner as learner_module
from robot_rl.learner import process
from robot_rl.learner.algorithm import Metrics
from robot_rl.learner.checkpoint import read_position
from robot_rl.learner.learner import Learner
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.settings import LearnerSettings

SAVE_EVERY_S = 0.2
STOPS_BY = (signal.SIGTERM, signal.SIGINT)
INTERRUPTED = 130  # the command line's exit code for a signal before there is anything to end
LONG_S = 600.0  # nothing takes so long


def learn(settings: LearnerSettings, trace: Path, log: Path) -> None:
    """A learner as the command line runs it, whose batches and losses go to `trace`."""
    with log.open("ab") as words:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
    for number in STOPS_BY:
        signal.signal(number, _interrupt)  # until the learner takes them itself
    learner_module.SAVE_EVERY_S = SAVE_EVERY_S
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
    sample, note = Replay.sample, Learner._note
    digests = [""]

    @functools.wraps(sample)
    def sampled(*arguments: object, **named: object) -> Batch:
        batch: Batch = sample(*arguments, **named)  # pyright: ignore[reportArgumentType]
        digest = hashlib.sha256()
        for _, values in sorted(batch.columns.items(), key=lambda item: repr(item[0])):
            digest.update(np.ascontiguousarray(values.numpy()).tobytes())
        digests[0] = digest.hexdigest()
        return batch

    def noted(self: Learner, metrics: Metrics) -> bool:
        losses = {name: value.hex() for name, value in metrics.items()}
        line = json.dumps([self.algorithm.counts.updates, digests[0], losses]) + "\n"
        os.write(lines, line.encode())
        return note(self, metrics)

    Replay.sample = sampled
    Learner._note = noted


@dataclass(slots=True, kw_only=True)
class Life:
    """The learners of one folder, one after the other."""

    settings: LearnerSettings
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
        # So that a start costs no import of torch.
        context.set_forkserver_preload(["benchmarks.killed_learner"])
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

    def wait(self, done: Callable[[], bool], seconds: float = LONG_S) -> bool:
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
        self.learner.join(LONG_S)
        code = self.learner.exitcode
        self.learner.close()
        self.learner = None
        if code not in (0, -number):
            print(f"exit code {code}: {self.log.read_text()[-500:]}", file=sys.stderr)
        self.look()
        return -1 if code is None else code
