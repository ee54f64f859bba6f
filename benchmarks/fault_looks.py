"""What `bench faults` sees: the arm as the simulator measures it, and every command of control."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardware.memory import Slot
from safety.standstill import at_rest

MS = 1_000_000
_NAP_S = 0.0005
_OVER_S = 0.01


class Sample(NamedTuple):
    """Of the arm."""

    t_ns: int  # robot time
    speed_m_s: float  # of the TCP
    velocity_m_s: NDArray[np.float64]
    position_m: NDArray[np.float64]


class Command(NamedTuple):
    """One tick of control."""

    sequence: int
    t_ns: int
    position_m: NDArray[np.float64]  # of the reference
    hold: bool


@dataclass(slots=True)
class Looks:
    """Both at 500 Hz and more, while somebody watches."""

    arm: Slot
    command: Slot
    samples: list[Sample] = field(default_factory=list[Sample])
    commands: list[Command] = field(default_factory=list[Command])

    def clear(self) -> None:
        self.samples.clear()
        self.commands.clear()

    def watch(self, duration_s: float, seen: Callable[[], bool] | None = None) -> int:
        """Begin anew, for so long; when `seen` was true first, robot time, or 0."""
        self.clear()
        return self.go_on(duration_s, seen)

    def go_on(self, duration_s: float, seen: Callable[[], bool] | None = None) -> int:
        """Keep what was seen before."""
        end_s, first_ns = time.monotonic() + duration_s, 0
        while time.monotonic() < end_s:
            self.look()
            if seen is not None and not first_ns and seen():
                first_ns = time.monotonic_ns()
            time.sleep(_NAP_S)
        return first_ns

    def look(self) -> None:
        """Note what is new of both."""
        record = self.command.read()
        sequence = int(record["sequence"])
        if not self.commands or self.commands[-1].sequence != sequence:
            at = np.array(record["position"])
            self.commands.append(Command(sequence, int(record["t_ns"]), at, bool(record["hold"])))
        record = self.arm.read()
        t_ns = int(record["t_ns"])
        if not self.samples or self.samples[-1].t_ns != t_ns:
            velocity, at = np.array(record["twist"][:3]), np.array(record["position"])
            self.samples.append(Sample(t_ns, float(np.linalg.norm(velocity)), velocity, at))

    def hold_ms(self, since_ns: int) -> float:
        """From then until the measured TCP rested and stayed so; infinite: it still moves."""
        moving = [k for k, sample in enumerate(self.samples) if not at_rest(sample.speed_m_s)]
        if not moving:
            return 0.0
        if moving[-1] + 1 == len(self.samples):
            return float("inf")
        return max((self.samples[moving[-1] + 1].t_ns - since_ns) / MS, 0.0)

    def gap_ms(self) -> float:
        """The longest time between two looks: a hold may be measured so much too late."""
        times = np.array([sample.t_ns for sample in self.samples])
        return float(np.diff(times).max() / MS) if len(times) > 1 else 0.0

    def jitter_ms(self, period_ns: int) -> float:
        """p99 of how far the time between two ticks of control is from a period; 0: none seen."""
        off = [
            abs(b.t_ns - a.t_ns - period_ns) / MS for run in self.runs() for a, b in pairwise(run)
        ]
        return float(np.percentile(off, 99)) if off else 0.0

    def leads(self, run: list[Command]) -> NDArray[np.float64]:
        """(commands,) how far each reference is from the TCP, on its farthest axis, m."""
        times = np.array([sample.t_ns for sample in self.samples])
        arm = np.array([sample.position_m for sample in self.samples])
        at = np.array([command.t_ns for command in run])
        seen = np.stack([np.interp(at, times, arm[:, axis]) for axis in range(3)], axis=1)
        return np.abs(np.array([command.position_m for command in run]) - seen).max(axis=1)

    def acceleration_m_s2(self) -> float:
        """The largest of the measured TCP, over 10 ms."""
        times = np.array([sample.t_ns for sample in self.samples]) * 1e-9
        arm = np.array([sample.velocity_m_s for sample in self.samples])
        later = np.searchsorted(times, times + _OVER_S)
        pairs = [(k, j) for k, j in enumerate(later) if j < len(times)]
        changes = [np.linalg.norm(arm[j] - arm[k]) / (times[j] - times[k]) for k, j in pairs]
        return float(max(changes, default=0.0))

    def runs(self) -> Iterator[list[Command]]:
        """The commands in stretches without one that was not seen."""
        run: list[Command] = []
        for command in self.commands:
            if run and command.sequence != run[-1].sequence + 1:
                yield run
                run = []
            run.append(command)
        if run:
            yield run
