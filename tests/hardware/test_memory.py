"""Shared memory: what a reader may see while a writer is at work, and where it is refused."""

import multiprocessing
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hardware.memory import Frames, MemoryUnusable, Slot, check_machine

WIDE = np.dtype([("values", np.int64, 512)])
WRITES = 20_000


def write_many(path: Path) -> None:
    slot, value = Slot(path, WIDE), np.zeros((), WIDE)
    for number in range(1, WRITES + 1):
        value["values"] = number
        slot.write(value)


def test_a_reader_never_sees_half_of_a_write(memory: Path) -> None:
    slot = Slot(memory / "wide", WIDE)
    writer = multiprocessing.get_context("spawn").Process(
        target=write_many, args=(memory / "wide",)
    )
    writer.start()
    seen = 0
    while seen < WRITES:
        values = slot.read()["values"]
        assert values.min() == values.max() >= seen
        seen = int(values[0])
        if not writer.is_alive():
            seen = max(seen, int(slot.read()["values"][0]))
            assert seen == WRITES
    writer.join()


@pytest.mark.parametrize("machine", ["aarch64", "riscv64", "ppc64le"])
def test_other_processors_are_refused(machine: str) -> None:
    with pytest.raises(MemoryUnusable, match=f"{machine}.*x86-64"):
        check_machine(machine)


def test_a_full_memory_is_said_before_anything_is_written(tmp_path: Path) -> None:
    """Not a SIGBUS in the middle of a write."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        with pytest.raises(MemoryUnusable, match=r"no room for the 4097 KiB of camera_front.*shm"):
            Frames(folder / "camera_front", 4, 2**20)
        Slot(folder / "small", WIDE).write(np.zeros((), WIDE))  # what fits is there in full
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
