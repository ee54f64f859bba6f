"""Shared memory inside the robot PC: seqlock slots (latest value wins) and single-producer rings.

Everything lives in plain files under one folder of /dev/shm, mapped with `mmap`.
`multiprocessing.shared_memory` is not used: on Python 3.12 a child that attaches by name unlinks
the segment when it exits.

A `Slot` never blocks its writer. A reader copies and retries while a write is in progress, and
gives up with `TornRead` only when the writer died in the middle of a write. A `Ring` is bounded; a
writer that finds it full drops the new record and counts it, so a dead reader can never stop
control.

The order of a writer's stores is what keeps readers right, and Python has no fences: it holds on
x86-64, where stores are seen in the order in which they were made, and is refused elsewhere.
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

_HEADER_BYTES = 64  # one cache line, so that the payload is aligned for every numpy dtype
_READ_ATTEMPTS = 2000  # a writer holds the lock for microseconds; this many misses means it died
_MACHINES = ("x86_64", "AMD64")
_SYS_FUTEX = 202  # on x86-64
_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_WAKE_ALL = 2**31 - 1

_libc = ctypes.CDLL(None, use_errno=True)


class TornRead(RuntimeError):
    """The writer of a slot stopped in the middle of a write."""


class MemoryUnusable(RuntimeError):
    """This machine cannot give the robot's processes what they share; one plain sentence."""


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def _futex(address: int, operation: int, value: int, timeout_s: float | None) -> None:
    span = None
    if timeout_s is not None:
        whole = int(timeout_s)
        span = ctypes.byref(_Timespec(whole, int((timeout_s - whole) * 1e9)))
    _libc.syscall(
        ctypes.c_long(_SYS_FUTEX),
        ctypes.c_void_p(address),
        ctypes.c_int(operation),
        ctypes.c_uint32(value & 0xFFFFFFFF),
        span,
        None,
        ctypes.c_int(0),
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
        self._words: NDArray[np.int64] = np.frombuffer(self._map, np.int64, 8)
        self._address = self._words.ctypes.data

    def _wait_word(self, index: int, seen: int, timeout_s: float) -> None:
        # The futex watches the low 32 bits of the word (little-endian).
        _futex(self._address + 8 * index, _FUTEX_WAIT, seen, timeout_s)

    def _wake_word(self, index: int) -> None:
        _futex(self._address + 8 * index, _FUTEX_WAKE, _WAKE_ALL, None)


class Slot(_Mapped):
    """The latest value of one topic. One writer, any number of readers.

    dtype: a numpy structured dtype; `read` returns a private copy (a 0-d structured array element).
    `count` is the number of completed writes (0 before the first).
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        super().__init__(path, dtype.itemsize)
        self.dtype = dtype
        self._payload: Records = np.frombuffer(self._map, dtype, 1, _HEADER_BYTES)
        self._raw: NDArray[np.uint8] = np.frombuffer(
            self._map, np.uint8, dtype.itemsize, _HEADER_BYTES
        )

    @property
    def count(self) -> int:
        return int(self._words[0]) // 2

    def write(self, value: Records | Record) -> None:
        """Publish `value` (dtype of the slot) and wake every waiting reader."""
        lock = int(self._words[0])
        lock += lock & 1  # a predecessor may have died in the middle of a write
        self._words[0] = lock + 1
        self._payload[0] = value
        self._words[0] = lock + 2
        self._wake_word(0)

    def read(self) -> Record:
        """A copy of the newest complete value; zeros before the first write."""
        for attempt in range(_READ_ATTEMPTS):
            before = int(self._words[0])
            if not before & 1:
                copy = self._raw.copy()
                if int(self._words[0]) == before:
                    return copy.view(self.dtype)[0]
            if attempt > 20:
                time.sleep(0.00005)
        raise TornRead(f"{self.path.name}: its writer stopped in the middle of a write")

    def wait_beyond(self, count: int, timeout_s: float) -> bool:
        """Wait until more than `count` writes are complete; False after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.count <= count:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            word = int(self._words[0])
            if word // 2 <= count:
                self._wait_word(0, word, left)
        return True


class Ring(_Mapped):
    """A bounded queue of records between one producer and one consumer process."""

    def __init__(self, path: Path, dtype: np.dtype[Any], capacity: int) -> None:
        super().__init__(path, dtype.itemsize * capacity)
        self.capacity = capacity
        self._records: Records = np.frombuffer(self._map, dtype, capacity, _HEADER_BYTES)

    @property
    def dropped(self) -> int:
        """Records refused so far because the consumer was too slow."""
        return int(self._words[2])

    def push(self, value: Records | Record) -> bool:
        """Append `value`; False (and counted) when the ring is full."""
        head, tail = int(self._words[0]), int(self._words[1])
        if head - tail >= self.capacity:
            self._words[2] += 1
            return False
        self._records[head % self.capacity] = value
        self._words[0] = head + 1
        self._wake_word(0)
        return True

    def pop(self) -> Record | None:
        """The oldest record, or None when there is none."""
        head, tail = int(self._words[0]), int(self._words[1])
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
        while int(self._words[0]) <= int(self._words[1]):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._wait_word(0, int(self._words[0]), left)
        return True


class Frames(_Mapped):
    """A ring of variable-size blobs (encoded images) with a fixed slot size. One writer, many
    readers.

    Readers ask for the newest frame, or for the newest one captured at or after a given time; a
    frame that is overwritten while it is copied is read again.
    """

    _ENTRY = struct.Struct("<qqqqii")  # lock, number, capture_ns, size, width, height
    _ENTRY_BYTES = 64

    def __init__(self, path: Path, slots: int, slot_bytes: int) -> None:
        super().__init__(path, slots * (self._ENTRY_BYTES + slot_bytes))
        self._slots, self._slot_bytes = slots, slot_bytes

    @property
    def count(self) -> int:
        return int(self._words[0])

    def write(self, blob: bytes, *, capture_ns: int, width: int, height: int) -> None:
        """Publish one encoded image. Raises ValueError when it is larger than a slot."""
        if len(blob) > self._slot_bytes:
            raise ValueError(
                f"{self.path.name}: image of {len(blob)} bytes, at most {self._slot_bytes}"
            )
        number = self.count + 1
        start = self._start(number)
        entry = self._ENTRY
        entry.pack_into(self._map, start, 1, number, capture_ns, len(blob), width, height)
        body = start + self._ENTRY_BYTES
        self._map[body : body + len(blob)] = blob
        entry.pack_into(self._map, start, 0, number, capture_ns, len(blob), width, height)
        self._words[0] = number
        self._wake_word(0)

    def newest(self) -> tuple[int, int, bytes] | None:
        """(number, capture_ns, blob) of the newest frame, or None before the first."""
        for _ in range(_READ_ATTEMPTS):
            number = self.count
            if number == 0:
                return None
            start = self._start(number)
            before = self._ENTRY.unpack_from(self._map, start)
            body = start + self._ENTRY_BYTES
            blob = bytes(self._map[body : body + before[3]])
            if before[0] == 0 and self._ENTRY.unpack_from(self._map, start) == before:
                return before[1], before[2], blob
        raise TornRead(f"{self.path.name}: its writer stopped in the middle of a write")

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
