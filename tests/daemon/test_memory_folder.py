"""Shared memory belongs to whoever holds its lock, in whatever container it is looked at."""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rl.daemon import memory_folder
from robot_rl.daemon.memory_folder import leftovers, new_memory_folder, remove_leftovers, take

REMOVE = "from robot_rl.daemon.memory_folder import remove_leftovers; remove_leftovers()"
HOLD = """
import sys, time
from pathlib import Path
from robot_rl.daemon.memory_folder import take
take(Path(sys.argv[1]))
print("taken", flush=True)
time.sleep(600)
"""
CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A name under the real /dev/shm, as a daemon would have it."""
    made = new_memory_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def container() -> tuple[str, ...]:
    """Other process ids, the same /dev/shm."""
    if subprocess.run([*CONTAINER, "true"], capture_output=True).returncode:
        pytest.skip("this user may not make a PID namespace")
    return CONTAINER


def test_a_daemon_in_another_container_leaves_ours_alone(folder: Path) -> None:
    """There, our process id is nobody's or somebody else's."""
    lock = take(folder)
    try:
        subprocess.run([*container(), sys.executable, "-c", REMOVE], check=True, timeout=60)
        assert folder.is_dir()
    finally:
        os.close(lock)


def test_ours_leaves_the_memory_of_another_container_alone(folder: Path) -> None:
    folder = folder.with_name(f"robot-rl-4194303-{secrets.token_hex(4)}")  # no process here
    other = subprocess.Popen(
        [*container(), sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        assert folder not in leftovers()
        remove_leftovers()
        assert folder.is_dir()
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    # And once its daemon is dead, the memory is given back.
    for _ in range(200):
        if folder in leftovers():
            break
        signal.sigtimedwait([], 0.05)
    remove_leftovers()
    assert not folder.exists()


def test_what_a_killed_daemon_left_is_removed_although_its_id_is_in_use_again(folder: Path) -> None:
    """The folder bears the id of this very test, which runs."""
    killed = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == "taken\n"
    remove_leftovers()
    assert folder.is_dir(), "its owner runs"
    killed.kill()
    killed.communicate()
    assert folder in leftovers()
    remove_leftovers()
    assert not folder.exists()


def test_what_was_left_by_a_daemon_that_died_while_it_began_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it gave its folder a name."""
    monkeypatch.setattr(memory_folder, "SHARED_MEMORY", tmp_path)
    for name in (".robot-rl-1-made", ".robot-rl-2-locked", ".robot-rl-3-beginning"):
        (tmp_path / name).mkdir()
    (tmp_path / ".robot-rl-2-locked" / "owner.lock").touch()
    lock = os.open(tmp_path / ".robot-rl-3-beginning" / "owner.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert sorted(left.name for left in leftovers()) == [".robot-rl-1-made", ".robot-rl-2-locked"]
    remove_leftovers()
    assert [path.name for path in tmp_path.iterdir()] == [".robot-rl-3-beginning"]
    os.close(lock)


def test_a_daemon_begins_although_another_one_tidies_up_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder without a name looks like a leftover until it is locked."""
    monkeypatch.setattr(memory_folder, "SHARED_MEMORY", tmp_path)
    tidied: list[str] = []
    opened, locked = os.open, fcntl.flock

    def tidy(moment: str) -> None:
        if moment not in tidied:
            tidied.append(moment)
            remove_leftovers()

    def tidy_then_open(path: Path, flags: int, mode: int = 0o777) -> int:
        tidy("made")
        return opened(path, flags, mode)

    def tidy_then_lock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            tidy("opened")
        locked(descriptor, operation)

    monkeypatch.setattr(memory_folder.os, "open", tidy_then_open)
    monkeypatch.setattr(memory_folder.fcntl, "flock", tidy_then_lock)
    folder = tmp_path / "robot-rl-1-ours"
    lock = take(folder)
    assert tidied == ["made", "opened"]
    remove_leftovers()
    assert (folder / "owner.lock").is_file()
    os.close(lock)


def test_what_is_no_daemons_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "SHARED_MEMORY", tmp_path)
    (tmp_path / "robot-rl-1-strange").mkdir()
    (tmp_path / "robot-rl-file").touch()
    lock = take(tmp_path / "robot-rl-2-ours")
    os.close(lock)
    assert [left.name for left in leftovers()] == ["robot-rl-2-ours"]
    remove_leftovers()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "robot-rl-1-strange", "robot-rl-file",
    ]  # fmt: skip
