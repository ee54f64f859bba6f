"""Virtual time: who is woken when, and how far it may go."""

from pathlib import Path

import pytest

from hardware.clock import VirtualClock, VirtualTime, register
from hardware.memory import Words

MS = 1_000_000


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that somebody may sleep on, in the order in which they were counted up."""
    names: list[str] = []
    count_up = Words.count_up

    def noted(words: Words, index: int) -> None:
        names.append(f"{words.path.name} {index}")
        count_up(words, index)

    monkeypatch.setattr(Words, "count_up", noted)
    return names


def test_a_party_is_woken_when_the_time_that_it_granted_has_come(
    memory: Path, woken: list[str]
) -> None:
    register(memory, ("control", "actor"))
    control, actor = VirtualClock(memory, "control"), VirtualClock(memory, "actor")
    time = VirtualTime(memory)
    control.grant_until_ns(5 * MS)
    actor.grant_until_ns(10 * MS)
    woken.clear()
    time.advance(time.granted_ns())
    assert woken == ["grant_control 3", "clock 0"], "the actor sleeps on"
    control.grant_until_ns(20 * MS)
    woken.clear()
    time.advance(time.granted_ns())
    assert time.now_ns() == 10 * MS
    assert woken == ["grant_actor 3", "clock 0"]
    actor.leave()
    woken.clear()
    time.advance(time.granted_ns())
    assert woken == ["grant_control 3", "clock 0"]


@pytest.mark.parametrize("waits_for_ms", [5, 7])
def test_a_party_sleeps_on_what_will_wake_it(
    memory: Path, monkeypatch: pytest.MonkeyPatch, waits_for_ms: int
) -> None:
    """For its own deadline on its own word; for another instant on every advance."""
    register(memory, ("control", "actor"))
    actor, control = VirtualClock(memory, "actor"), VirtualClock(memory, "control")
    time = VirtualTime(memory)
    actor.grant_until_ns(5 * MS)
    control.grant_until_ns(100 * MS)
    slept: list[str] = []

    def sleep(words: Words, index: int, seen: int, timeout_s: float) -> None:
        slept.append(f"{words.path.name} {index}")
        time.advance(waits_for_ms * MS)

    monkeypatch.setattr(Words, "wait_changed", sleep)
    assert actor.wait_until_ns(waits_for_ms * MS)
    assert slept == ["grant_actor 3" if waits_for_ms == 5 else "clock 0"]


def test_time_never_runs_backwards_and_waits_for_the_smallest_grant(memory: Path) -> None:
    register(memory, ("control", "link"))
    time = VirtualTime(memory)
    assert time.granted_ns() == 0, "nobody has granted anything yet"
    for party, until_ns in (("control", 30 * MS), ("link", 20 * MS)):
        VirtualClock(memory, party).grant_until_ns(until_ns)
    assert time.wait_granted(1.0) == 20 * MS
    time.advance(20 * MS)
    assert VirtualClock(memory, None).now_ns() == 20 * MS
    with pytest.raises(ValueError, match="backwards"):
        time.advance(19 * MS)
