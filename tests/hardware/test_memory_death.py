"""Shared memory whose writer dies in the middle of a write, and a wake-up that must not be lost."""

import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware import arm_topics
from hardware.arm_client import ArmClient
from hardware.clock import MonotonicClock
from hardware.memory import Frames, Ring, Slot

JOINTS = 7
PAIR = np.dtype([("first", np.int64), ("second", np.int64)])


class Stuck:
    """A number that never comes: numpy has stored the fields before it, and waits here."""

    def __init__(self, half: Any) -> None:
        self._half = half

    def __int__(self) -> int:
        self._half.set()
        time.sleep(600)
        raise AssertionError("nobody killed the writer")

    __index__ = __int__
    __float__ = __int__


class StuckImage(bytes):
    """An image that is put into the memory only in part."""

    def __len__(self) -> int:
        return 5  # of 6 bytes: copying them fails, and half of the frame is there


def write_half(path: Path, half: Any) -> None:
    slot = Slot(path, PAIR)
    slot.write(np.array((1, 1), PAIR))
    torn: Any = (2, Stuck(half))
    slot.write(torn)


def write_half_a_state(folder: Path, half: Any) -> None:
    slot = arm_topics.open_state(folder, JOINTS)
    state = np.zeros((), slot.dtype)
    state["t_ns"], state["tick"] = time.monotonic_ns(), 41
    slot.write(state)
    state["tick"] = 42
    torn: Any = (*state.item()[:-1], Stuck(half))
    slot.write(torn)


def killed_in_the_middle(target: Any, path: Path) -> None:
    """Run a writer until it is in the middle of its last write, and kill it there."""
    context = multiprocessing.get_context("spawn")
    half = context.Event()
    writer = context.Process(target=target, args=(path, half))
    writer.start()
    assert half.wait(60), "the writer never came to its second write"
    writer.kill()
    writer.join()


def test_a_writer_killed_in_mid_write_leaves_its_last_complete_value(memory: Path) -> None:
    slot = Slot(memory / "pair", PAIR)
    killed_in_the_middle(write_half, memory / "pair")
    assert slot.count == 1
    assert slot.read().item() == (1, 1)
    assert not slot.wait_beyond(1, 0.01)
    # Its successor goes on as if that write had never begun.
    Slot(memory / "pair", PAIR).write(np.array((3, 3), PAIR))
    assert (slot.count, slot.read().item()) == (2, (3, 3))


def test_control_reads_the_last_measurement_of_an_arm_killed_in_mid_write(memory: Path) -> None:
    """`ArmClient.state` neither waits nor raises: the age of the measurement says what happened."""
    arm_topics.open_state(memory, JOINTS)
    killed_in_the_middle(write_half_a_state, memory)
    arm = ArmClient(memory, JOINTS, MonotonicClock(), lost_after_s=600.0)
    assert arm.state().tick == 41


def test_a_reader_that_is_overtaken_takes_the_newest(memory: Path) -> None:
    """Writes that happen during the copy: as many as fit beside it, then more than that."""
    slot = Slot(memory / "pair", PAIR)
    writer = Slot(memory / "pair", PAIR)

    def write(number: int) -> None:
        writer.write(np.array((number, number), PAIR))

    class Overtaken:
        """A buffer during whose copy others write."""

        def __init__(self, buffer: Any, numbers: range) -> None:
            self._buffer, self._numbers = buffer, numbers

        def copy(self) -> Any:
            half = self._buffer.copy()
            for number in self._numbers:
                write(number)
            self._numbers = range(0)
            half[8:] = self._buffer[8:]  # the second field is copied only now
            return half

    write(1)
    buffers: Any = slot._bytes
    buffers[1] = Overtaken(buffers[1], range(2, 4))
    assert slot.read().item() == (1, 1)  # it is whole: its buffer was not written again
    buffers[3] = Overtaken(buffers[3], range(4, 8))
    assert slot.read().item() == (7, 7)


def test_frames_of_a_camera_killed_in_mid_write(memory: Path) -> None:
    frames = Frames(memory / "camera", 4, 64)
    frames.write(b"whole", capture_ns=1, width=1, height=1)
    with pytest.raises((ValueError, IndexError)):
        frames.write(StuckImage(b"broken"), capture_ns=2, width=1, height=1)
    assert frames.newest() == (1, 1, b"whole")
    frames.write(b"next", capture_ns=3, width=1, height=1)
    assert frames.newest() == (2, 3, b"next")


def test_a_record_that_arrives_while_the_reader_looks_wakes_it(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel must be told the head that was looked at: with a newer one it would sleep, with
    the record there.
    """
    ring, producer = Ring(memory / "ring", PAIR, 4), Ring(memory / "ring", PAIR, 4)
    told: list[int] = []
    monkeypatch.setattr(ring, "_wait_word", lambda index, seen, timeout_s: told.append(seen))

    class Between:
        """The words of the ring; a record comes right after the first look at its head."""

        def __init__(self, words: Any) -> None:
            self._words, self._looks = words, 0

        def __getitem__(self, index: int) -> Any:
            value = self._words[index]
            self._looks += index == 0
            if index == 0 and self._looks == 1:
                producer.push(np.array((1, 1), PAIR))
            return value

    monkeypatch.setattr(ring, "_words", Between(ring._words))
    assert ring.wait(5.0)
    assert told in ([], [0]), "it would have slept with a record in the ring"
