"""Shared memory inside the robot PC: slots (latest value wins) and single-producer rings.

Everything lives in plain files under one folder of /dev/shm, mapped with `mmap`.
`multiprocessing.shared_memory` is not used: on Python 3.12 a child that attaches by name unlinks
the segment when it exits.

A `Slot` has several buffers. A write goes into the one that was written longest ago, and only then
is that one named the newest: a writer never waits for anybody, and a reader finds the last complete
value at once, also when the writer died or stands still in the middle of a write. A reader copies
again only when whole writes overtook its copy. A `Ring` is bounded; a writer that finds it full
drops the new record and counts it, so a dead reader can never stop control.

What is relied on: an aligned word of 8 bytes is loaded and stored as one (true of x86-64 and
aarch64); and a process's stores are seen in the order in which they were made, and its loads are
made in order (true of x86-64; on aarch64 it takes a store-release and a load-acquire, which neither
Python nor numpy offers). So any other processor than x86-64 is refused.
"""

import ctypes
import errno
import mmap
import os
import platform
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Record = np.void
type Records = NDArray[np.void]

_LINE_BYTES = 64  # a cache line: what begins at one is aligned for every numpy dtype
_HEADER_BYTES = _LINE_BYTES
BUFFERS = 4  # of a slot: a reader copies again only when three writes overtook its copy
_MACHINES = ("x86_64", "AMD64")
_SYS_FUTEX = 202  # on x86-64
_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_WAKE_ALL = 2**31 - 1

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = [  # given once: building seven ctypes values costs more than the call itself
    *(ctypes.c_long, ctypes.c_void_p, ctypes.c_long, ctypes.c_long),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long),
]


class MemoryUnusable(RuntimeError):
    """This machine cannot give the robot's processes what they share; one plain sentence."""


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def _futex(address: int, operation: int, value: int, timeout_s: float | None) -> None:
    if timeout_s is None:
        _syscall(_SYS_FUTEX, address, operation, value & 0xFFFFFFFF, None, None, 0)
        return
    whole = int(timeout_s)
    span = _Timespec(whole, int((timeout_s - whole) * 1e9))
    _syscall(
        *(_SYS_FUTEX, address, operation, value & 0xFFFFFFFF),
        *(ctypes.addressof(span), None, 0),
    )


def check_machine(machine: str) -> None:
    """Raises MemoryUnusable where the order of stores does not hold."""
    if machine not in _MACHINES:
        raise MemoryUnusable(
            f"this machine's processor is {machine}, and the robot's processes share memory in a "
            "way that is right on x86-64 only: run the daemon on an x86-64 machine"
        )


def map_file(path: Path, size: int) -> mmap.mmap:
    """Map `path`, created with `size` zero bytes when it does not exist. Raises ValueError on
    another size, and MemoryUnusable without room for it.
    """
    check_machine(platform.machine())
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        present = os.fstat(descriptor).st_size
        if present == 0:
            _allocate(descriptor, path, size)
        elif present != size:
            raise ValueError(
                f"shared memory {path.name} has {present} bytes, {size} expected: "
                "parts of different versions are running; stop the daemon and start it again"
            )
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, path: Path, size: int) -> None:
    """Every page now: one that is missing later would be a SIGBUS in the middle of a write."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise MemoryUnusable(
            f"the shared memory {path.parent} has no room for the {-(-size // 1024)} KiB of "
            f"{path.name}: remove what fills it, or in Docker start with --shm-size 256m"
        ) from error


class _Mapped:
    """A mapped file with a 64-byte header of eight little-endian int64 words."""

    def __init__(self, path: Path, payload_bytes: int) -> None:
        self.path = path
        self._map = map_file(path, _HEADER_BYTES + payload_bytes)
        # A memoryview gives Python's own integers, in a third of the time that numpy takes.
        self._words = memoryview(self._map)[:_HEADER_BYTES].cast("q")
        self.words: NDArray[np.int64] = np.frombuffer(self._map, np.int64, 8)  # for compiled code
        self._address = self.words.ctypes.data

    def _wait_word(self, index: int, seen: int, timeout_s: float) -> None:
        # The futex watches the low 32 bits of the word (little-endian).
        _futex(self._address + 8 * index, _FUTEX_WAIT, seen, timeout_s)

    def _wake_word(self, index: int) -> None:
        _futex(self._address + 8 * index, _FUTEX_WAKE, _WAKE_ALL, None)


class Words(_Mapped):
    """Eight words of 8 bytes, each an integer that can be waited for. Each has one writer."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 0)

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value

    def count_up(self, index: int) -> None:
        """Add one, and wake everybody who waits for that word."""
        self._words[index] += 1
        self._wake_word(index)

    def wait_changed(self, index: int, seen: int, timeout_s: float) -> None:
        """Sleep while the word is `seen`; may return early, and after `timeout_s`."""
        self._wait_word(index, seen, timeout_s)


class Slot(_Mapped):
    """The latest value of one topic. One writer, any number of readers.

    dtype: a numpy structured dtype; `read` returns a private copy (a 0-d structured array element).
    `count` is the number of completed writes (0 before the first); write number n lies in buffer
    n modulo BUFFERS.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        stride = -(-dtype.itemsize // _LINE_BYTES) * _LINE_BYTES
        super().__init__(path, BUFFERS * stride)
        self.dtype = dtype
        starts = [_HEADER_BYTES + buffer * stride for buffer in range(BUFFERS)]
        self._values: list[Records] = [
            np.frombuffer(self._map, dtype, 1, start) for start in starts
        ]
        self.buffers: Records = np.ndarray(
            BUFFERS, dtype, self._map, _HEADER_BYTES, (stride,)
        )  # for compiled code (hardware.compiled_slot)
        self._bytes: list[NDArray[np.uint8]] = [
            np.frombuffer(self._map, np.uint8, dtype.itemsize, start) for start in starts
        ]

    @property
    def count(self) -> int:
        return self._words[0]

    def write(self, value: Records | Record) -> None:
        """Publish `value` (dtype of the slot) and wake every waiting reader."""
        number = self.count + 1
        self._values[number % BUFFERS][0] = value
        self._words[0] = number
        self._wake_word(0)

    def read(self) -> Record:
        """A copy of the newest complete value; zeros before the first write."""
        while True:
            number = self.count
            copy = self._bytes[number % BUFFERS].copy()
            # The buffer is written again by write `number + BUFFERS`, at the earliest once the one
            # before that is complete.
            if self.count < number + BUFFERS - 1:
                return copy.view(self.dtype)[0]

    def wait_beyond(self, count: int, timeout_s: float) -> bool:
        """Wait until more than `count` writes are complete; False after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (present := self.count) <= count:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._wait_word(0, present, left)
        return True


class Ring(_Mapped):
    """A bounded queue of records between one producer and one consumer process."""

    def __init__(self, path: Path, dtype: np.dtype[Any], capacity: int) -> None:
        super().__init__(path, dtype.itemsize * capacity)
        self.capacity = capacity
        self._records: Records = np.frombuffer(self._map, dtype, capacity, _HEADER_BYTES)

    def push(self, value: Records | Record) -> bool:
        """Append `value`; False when the ring is full."""
        head, tail = self._words[0], self._words[1]
        if head - tail >= self.capacity:
            return False
        self._records[head % self.capacity] = value
        self._words[0] = head + 1
        self._wake_word(0)
        return True

    @property
    def pushed(self) -> int:
        """Records appended so far."""
        return self._words[0]

    @property
    def popped(self) -> int:
        """Records taken so far."""
        return self._words[1]

    def pop(self) -> Record | None:
        """The oldest record, or None when there is none."""
        head, tail = self._words[0], self._words[1]
        if tail >= head:
            return None
        value = self._records[tail % self.capacity].copy()
        self._words[1] = tail + 1
        return value

    def drain(self) -> list[Record]:
        """Every record present now, oldest first."""
        values: list[Record] = []
        while (value := self.pop()) is not None:
            values.append(value)
        return values

    def wait(self, timeout_s: float) -> bool:
        """Wait until a record is present; False after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        # The kernel lets nobody sleep on a head that has moved since it was looked at here.
        while (head := self._words[0]) <= self._words[1]:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._wait_word(0, head, left)
        return True


class Frames(_Mapped):
    """A ring of variable-size blobs (encoded images) with a fixed slot size. One writer, many
    readers.

    Frame number n lies in slot n modulo `slots`, and is the newest only once it is complete.
    Readers ask for the newest frame, or for the newest one captured at or after a given time; a
    frame that was overwritten while it was copied is not taken, the newest one then is.
    """

    _ENTRY = struct.Struct("<qqqii")  # number, capture_ns, size, width, height
    _ENTRY_BYTES = _LINE_BYTES

    def __init__(self, path: Path, slots: int, slot_bytes: int) -> None:
        super().__init__(path, slots * (self._ENTRY_BYTES + slot_bytes))
        self._slots, self._slot_bytes = slots, slot_bytes

    @property
    def count(self) -> int:
        return self._words[0]

    def write(self, blob: bytes, *, capture_ns: int, width: int, height: int) -> None:
        """Publish one encoded image. Raises ValueError when it is larger than a slot."""
        if len(blob) > self._slot_bytes:
            raise ValueError(
                f"{self.path.name}: image of {len(blob)} bytes, at most {self._slot_bytes}"
            )
        number = self.count + 1
        start = self._start(number)
        body = start + self._ENTRY_BYTES
        self._ENTRY.pack_into(self._map, start, number, capture_ns, len(blob), width, height)
        self._map[body : body + len(blob)] = blob
        self._words[0] = number
        self._wake_word(0)

    def newest(self) -> tuple[int, int, bytes] | None:
        """(number, capture_ns, blob) of the newest frame, or None before the first."""
        while (number := self.count) > 0:
            start = self._start(number)
            _, capture_ns, size, _, _ = self._ENTRY.unpack_from(self._map, start)
            body = start + self._ENTRY_BYTES
            blob = bytes(self._map[body : body + size])
            if self.count < number + self._slots - 1:  # as in Slot.read
                return number, capture_ns, blob
        return None

    def wait_captured(self, at_least_ns: int, timeout_s: float) -> tuple[int, int, bytes] | None:
        """The newest frame once its capture time is ≥ `at_least_ns`; None after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self.count
            frame = self.newest()
            if frame is not None and frame[1] >= at_least_ns:
                return frame
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._wait_word(0, seen, left)

    def _start(self, number: int) -> int:
        return _HEADER_BYTES + (number % self._slots) * (self._ENTRY_BYTES + self._slot_bytes)
