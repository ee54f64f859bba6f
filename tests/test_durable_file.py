"""Files that are whole or not there, whatever ends the writer."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from robot_rl import durable_file


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    durable_file.write(path, b"old")
    with suppress(TypeError), durable_file.replacing(path) as file:
        file.write(b"ne")
        file.write("w")  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert path.read_bytes() == b"old"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_a_writer_that_is_killed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable_file.write(path, b"old")
    code = (
        "import os, pathlib, sys; from robot_rl import durable_file\n"
        "with durable_file.replacing(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'ne'); file.flush(); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -9
    assert path.read_bytes() == b"old"
    other = tmp_path / f".other.0{durable_file.PART}"
    other.touch()
    assert len(list(tmp_path.iterdir())) == 3
    durable_file.clear(path)
    assert sorted(tmp_path.iterdir()) == [other, path], "what it left is gone, and nothing else"


def test_two_writers_of_one_name_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with durable_file.replacing(path) as first, durable_file.replacing(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first", "the last one to end counts"


def test_the_contents_are_on_the_disk_before_the_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        done.append(f"sync {'folder' if path == tmp_path else 'file'}")
        sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    durable_file.write(tmp_path / "file", b"data")
    assert done == ["sync file", "rename", "sync folder"]
