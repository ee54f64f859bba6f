"""How soon an input moves the reference, in the whole system and over a line that delays.

From the input to the first command of control that goes elsewhere, less half the line's round
trip. The input falls anywhere between two drives, which the client sends as the page does: one for
each robot time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.delayed_line import delayed
from benchmarks.measurement import Spread
from benchmarks.watcher import watching
from hardware import arm_topics
from hardware.memory import Slot
from robot_rl.config import load_cell
from robot_rl.daemon.memory_folder import folders_of
from robot_rl.rehearsal.client import LiveClient, LiveLost
from robot_rl.rehearsal.system import System, SystemSettings
from robot_rl.schema.live.client_message import AcquireLease, EndTakeover, ReleaseLease, Takeover

CELL, TASK = "simulation", "lift_cube"
_MOVED_M = 1e-6
_ROBOT_PERIOD_MS = 40.0  # without a robot time for so long the client drives by its own clock


@dataclass(slots=True)
class Reactions:
    took_ms: list[float] = field(default_factory=list[float])
    asked: int = 0
    lost: int = 0

    @property
    def spread(self) -> Spread:
        return Spread.of(self.took_ms)


class _Person:
    """A client that drives as the page does, in the calling thread."""

    def __init__(self, client: LiveClient) -> None:
        self.client = client
        self.axes = (0.0,) * 6
        self.dead_man = False
        self._sent_s = 0.0

    def live(self, duration_s: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Answer the robot's times for so long; whether `until` came true."""
        end_s = time.monotonic() + duration_s
        seen = self.client.seen
        while time.monotonic() < end_s:
            before_ns = seen.robot_ns
            self.client.pump(min(0.005, max(end_s - time.monotonic(), 0.0)))
            passed_ms = (time.monotonic() - self._sent_s) * 1e3
            answered = seen.robot_ns != before_ns and passed_ms >= 5.0
            if answered or passed_ms >= _ROBOT_PERIOD_MS:
                self.client.drive(deadman=self.dead_man, axes=self.axes, device="keyboard")
                self._sent_s = time.monotonic()
            if until():
                return True
        return False

    def asks(self, kind: type[AcquireLease | Takeover | EndTakeover | ReleaseLease]) -> bool:
        """Whether the robot accepted."""
        what = {"device": "keyboard"} if kind is Takeover else {}
        request = self.client.post(kind, **what)
        self.live(5.0, lambda: request in self.client.seen.answers)
        answer = self.client.answer(request)
        return answer is not None and answer.accepted


def reactions(folder: Path, trips: tuple[int, ...], inputs: int) -> dict[int, Reactions]:
    settings = SystemSettings(cell=CELL, task=TASK, data=folder, port=0, learner=False)
    found: dict[int, Reactions] = {}
    with System(settings) as system:
        for trip in trips:
            with delayed(system.url, trip * 1e-3) as url:
                found[trip] = _at(trip, url, system, inputs)
    return found


def _at(trip_ms: int, url: str, system: System, inputs: int) -> Reactions:
    found = Reactions()
    client = _joined(url, system)
    try:
        person = _Person(client)
        commands = _command_slot(system)
        rng = np.random.default_rng(trip_ms)
        for number in range(inputs):
            if not _drives(person, found, trip_ms):
                found.lost += inputs - number
                break  # ten takeovers were refused: so would the others be
            person.live(0.6 + trip_ms * 1e-3 + float(rng.uniform(0.0, 0.02)))
            start = np.array(commands.read()["position"])
            person.axes = (0.0, 1.0 if number % 2 else -1.0, 0.0, 0.0, 0.0, 0.0)
            pressed_ns, moved = time.monotonic_ns(), _Moved(commands, start)
            with watching(moved.look, 0.001):
                person.live(1.0, lambda: moved.t_ns > 0)  # noqa: B023 (called at once)
            person.axes = (0.0,) * 6
            if moved.t_ns:
                found.took_ms.append((moved.t_ns - pressed_ns) * 1e-6 - trip_ms / 2)
            else:
                found.lost += 1
        person.dead_man = False
        person.asks(EndTakeover)
        person.asks(ReleaseLease)
    finally:
        client.close()
    return found


def _joined(url: str, system: System) -> LiveClient:
    deadline = time.monotonic() + 180.0
    while True:
        try:
            robot = load_cell(CELL).robot
            client = LiveClient(url, robot, system.tokens.operator, truth=False)
            while client.seen.telemetry is None and time.monotonic() < deadline:
                client.pump(0.1)
            return client
        except LiveLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _drives(person: _Person, found: Reactions, trip_ms: int) -> bool:
    """Take over unless this client drives already; a robot may refuse a round trip of 290 ms."""
    telemetry = person.client.seen.telemetry
    if telemetry is not None and telemetry.mode == "takeover":
        return True
    for _ in range(10):
        found.asked += 1
        person.dead_man = False
        person.asks(AcquireLease)
        person.live(0.3 + trip_ms * 1e-3)
        person.dead_man = True
        person.live(0.1 + trip_ms * 1e-3)
        if person.asks(Takeover):
            person.live(0.2 + trip_ms * 1e-3)
            return True
    return False


def _command_slot(system: System) -> Slot:
    (folder,) = folders_of(system.pid("daemon"))
    return arm_topics.open_command(folder)


class _Moved:
    """`t_ns`: robot time of the first command that is not at `start`."""

    def __init__(self, commands: Slot, start: np.ndarray) -> None:
        self._commands, self._start = commands, start
        self.t_ns = 0

    def look(self) -> bool:
        """Whether there was one."""
        command = self._commands.read()
        if np.abs(command["position"] - self._start).max() > _MOVED_M:
            self.t_ns = int(command["t_ns"])
        return self.t_ns > 0
