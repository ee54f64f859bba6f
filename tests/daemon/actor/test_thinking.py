"""The thread that thinks: nobody waits for it, and it never answers what was forgotten."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from hardware.clock import MonotonicClock
from robot_rl.config import load_task
from robot_rl.daemon.actor.lateness import LateAnswers
from robot_rl.daemon.actor.policy import Decider, EpisodeNoise, Loaded
from robot_rl.daemon.actor.sensors import SensorReading
from robot_rl.daemon.actor.thinking import AtOnce, Beside, Question, Thinker, Thought
from robot_rl.policy.interface import BadObservation, Chunk, Observation

CLOCK = MonotonicClock()
PATIENCE_S = 30.0


@dataclass
class Slow:
    """A policy that thinks until it is let go."""

    version: int | None = 1
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    error: Exception | None = None
    resets: int = 0

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        self.begun.release()
        assert self.go_on.acquire(timeout=PATIENCE_S)
        if self.error is not None:
            raise self.error
        return Chunk(actions=np.full((1, 7), observation.t_ns), version=self.version)

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def beside() -> Iterator[Beside]:
    thinker = Beside(lambda: None)
    yield thinker
    thinker.close()


def question(policy: Slow, t_ns: int, noise: EpisodeNoise | None = None) -> Question:
    reading = SensorReading(
        grid_ns=t_ns, arms={}, t_utc=datetime.now(UTC), frames={}, stale=(), success=None
    )
    seen = Observation(images={}, state=np.zeros(1), state_names=("a",), instruction="", t_ns=t_ns)
    noise = noise or EpisodeNoise(rng=np.random.default_rng(0))
    decider = Decider(policy=cast(Any, policy), loaded=Loaded(version=1, sha256=""), noise=noise)
    return Question(reading=reading, observe=lambda: seen, decider=decider, epoch=1, followed=True)


def next_answers(thinker: Thinker) -> list[Thought]:
    until_ns = CLOCK.now_ns() + int(PATIENCE_S * 1e9)
    while not (found := thinker.answers()) and CLOCK.now_ns() < until_ns:
        thinker.wait(CLOCK, until_ns, 1.0)
    return found


def test_of_what_comes_while_it_thinks_the_newest_is_next(beside: Beside) -> None:
    policy = Slow()
    for t_ns in (1, 2, 3):
        beside.ask(question(policy, t_ns))
        if t_ns == 1:
            assert policy.begun.acquire(timeout=PATIENCE_S)
    assert beside.answers() == [], "asking waits for nobody"
    policy.go_on.release()
    (first,) = next_answers(beside)
    policy.go_on.release()
    (second,) = next_answers(beside)
    assert [each.question.reading.grid_ns for each in (first, second)] == [1, 3]
    assert second.chunk is not None
    assert second.chunk.actions[0, 0] == 3
    assert first.inference_s > 0.0


def test_what_is_forgotten_is_not_answered(beside: Beside) -> None:
    policy = Slow()
    beside.ask(question(policy, 1))
    assert policy.begun.acquire(timeout=PATIENCE_S)
    beside.ask(question(policy, 2))
    beside.forget()
    beside.ask(question(policy, 3))
    policy.go_on.release(2)
    (answer,) = next_answers(beside)
    assert answer.question.reading.grid_ns == 3


def test_waiting_ends_with_an_answer_and_with_its_time(beside: Beside) -> None:
    policy = Slow()
    soon_ns = CLOCK.now_ns() + 2_000_000
    while not beside.wait(CLOCK, soon_ns, 1.0):
        pass
    assert CLOCK.now_ns() >= soon_ns
    policy.go_on.release()
    beside.ask(question(policy, 1))
    assert not beside.wait(CLOCK, CLOCK.now_ns() + int(PATIENCE_S * 1e9), PATIENCE_S)
    assert len(beside.answers()) == 1


@pytest.mark.parametrize("beside", [False, True])
def test_what_goes_wrong_is_part_of_the_answer(beside: bool) -> None:
    thinker: Thinker = Beside(lambda: None) if beside else AtOnce()
    for error in (BadObservation("no image of front"), RuntimeError("out of memory")):
        policy = Slow(error=error)
        policy.go_on.release()
        thinker.ask(question(policy, 1))
        (answer,) = next_answers(thinker)
        assert answer.chunk is None
        blind = isinstance(error, BadObservation)
        assert (answer.blind, answer.error) == (
            str(error) if blind else "",
            None if blind else error,
        )
    thinker.close()


def test_the_policy_forgets_once_in_each_episode() -> None:
    policy, thinker = Slow(), AtOnce()
    policy.go_on.release(3)
    first, second = (EpisodeNoise(rng=np.random.default_rng(k)) for k in range(2))
    for noise in (first, first, second):
        thinker.ask(question(policy, 1, noise))
    assert policy.resets == 2


def test_the_end_waits_no_longer_than_a_second_for_a_thought() -> None:
    policy, thinker = Slow(), Beside(lambda: None)
    thinker.ask(question(policy, 1))
    assert policy.begun.acquire(timeout=PATIENCE_S)
    began = time.monotonic()
    thinker.close()
    assert time.monotonic() - began < PATIENCE_S, "it thinks for as long as that"
    policy.go_on.release()


@pytest.mark.parametrize(
    ("actions", "in_time_ms", "late_ms", "said"),
    [(8, 849, 850, "its 8 actions were over"), (50, 1000, 1001, "seen 1 s ago")],
)
def test_an_answer_in_time_is_not_late(
    actions: int, in_time_ms: int, late_ms: int, said: str
) -> None:
    sentences: list[str] = []
    late = LateAnswers(load_task("lift_cube"), sentences.append)
    late.look(actions, in_time_ms * 1_000_000, 0.5)
    assert not sentences
    for _ in range(2):
        late.look(actions, late_ms * 1_000_000, 0.5)
    (sentence,) = sentences
    assert "500 ms" in sentence
    assert said in sentence
    assert ("longer chunk" in sentence) == (actions == 8)
