"""What the daemon refuses before anything moves: a folder or a memory that it cannot use."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.daemon import data_folder
from robot_rl.daemon.data_folder import DataFolderUnusable
from robot_rl.daemon.log import Log
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.supervisor import Daemon, DaemonFailed


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb") as file:
        with suppress(OSError):  # full
            file.write(bytes(2**21))
        with suppress(OSError):
            file.close()
    assert data_folder.free_bytes(folder) == 0


def settings_in(folder: Path) -> DaemonSettings:
    return DaemonSettings(
        cell=load_cell("simulation"), task=load_task("lift_cube"), data_folder=folder
    )


def test_a_full_disk_is_refused_by_name_and_one_with_little_room_is_not(small_disk: Path) -> None:
    # What was recorded is still to be sent: that makes room.
    assert data_folder.free_bytes(small_disk) < data_folder.MIN_FREE_BYTES
    os.close(data_folder.take(small_disk))
    fill(small_disk)
    with pytest.raises(DataFolderUnusable, match="No space left") as refused:
        Daemon(settings_in(small_disk)).run()
    assert str(small_disk) in str(refused.value)


def test_a_read_only_disk_is_refused_by_name(small_disk: Path) -> None:
    (small_disk / "daemon.lock").touch()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DataFolderUnusable, match="Read-only file system"):
        Daemon(settings_in(small_disk)).run()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderUnusable, match="cannot be used"):
        Daemon(settings_in(tmp_path / "file" / "data")).run()


def test_a_refused_folder_is_not_left_locked(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(DataFolderUnusable, match="No space left"):
        data_folder.take(small_disk)
    (small_disk / "filler").unlink()
    os.close(data_folder.take(small_disk))


def test_a_supervisor_that_fails_says_so_and_ends_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = DaemonSettings(
        cell=load_cell("simulation"),
        task=load_task("lift_cube"),
        data_folder=tmp_path / "data",
        memory=tmp_path / "file" / "memory",
    )
    daemon = Daemon(settings)
    with pytest.raises(DaemonFailed, match="Not a directory") as failed:
        daemon.run()
    assert failed.value.exit_code != 0
    assert daemon.pids() == {}
    assert not daemon.running


def test_a_log_on_a_full_disk_ends_nobody(small_disk: Path) -> None:
    """stderr lies there too, as it does under `robot-rl demo`."""
    fill(small_disk)
    log = small_disk / "daemon.log"
    program = (
        "import sys; from pathlib import Path; from robot_rl.daemon.log import Log\n"
        "log = Log(Path(sys.argv[1]), 'link'); log.say('one'); log.say('two'); print('alive')"
    )
    with (small_disk / "stderr").open("wb") as stderr:
        done = subprocess.run(
            [sys.executable, "-c", program, str(log)],
            stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=60,
        )  # fmt: skip
    assert done.stdout == "alive\n"
    # Room again: the log goes on.
    writer = Log(log, "link")
    writer.say("lost")
    (small_disk / "filler").unlink()
    writer.say("kept")
    assert "kept" in log.read_text()
