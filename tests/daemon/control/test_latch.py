"""The latch on disk: what was stopped, or had a fault, is so after a restart."""

import pytest

from robot_rl.daemon.control.latch import latch_writer, read_latch, write_latch
from safety.faults import FaultCode
from safety.modes import Latch


@pytest.mark.parametrize(
    "latch",
    [
        Latch(),
        Latch(stopped_by="ada"),
        Latch(cause="The arm is gone.", fault=FaultCode.ARM_SILENT),
        Latch(stopped_by="ada", cause="The arm is gone."),
    ],
)
def test_what_is_written_is_read(tmp_path, latch: Latch) -> None:
    file = tmp_path / "data" / "latch.json"
    assert read_latch(file) == Latch()
    write_latch(file, latch)
    assert read_latch(file) == latch


NEWER = '{"stopped_by": null, "cause": "x", "fault": "a fault of a newer version"}'


@pytest.mark.parametrize("content", ["", "[]", "{}", '"ada"', '{"cause": "x"}', NEWER])
def test_a_latch_that_cannot_be_read_is_a_stop(tmp_path, content: str) -> None:
    file = tmp_path / "latch.json"
    file.write_text(content)
    latch = read_latch(file)
    assert latch.stopped_by == "control"
    assert latch.fault is FaultCode.LATCH_UNREADABLE
    assert "latch.json" in (latch.cause or "")


def test_a_latch_of_an_older_version_is_read(tmp_path) -> None:
    file = tmp_path / "latch.json"
    file.write_text('{"stopped_by": "ada"}')
    assert read_latch(file) == Latch(stopped_by="ada")


@pytest.mark.parametrize("at_once", [False, True])
def test_the_writer_writes_the_last_one_last(tmp_path, at_once: bool) -> None:
    file = tmp_path / "latch.json"
    writer = latch_writer(file, at_once=at_once)
    writer.put(Latch(stopped_by="ada"))
    writer.put(Latch(cause="The arm is gone."))
    if not at_once:
        writer.close()
    assert read_latch(file) == Latch(cause="The arm is gone.")
    writer.close()


def test_a_disk_that_refuses_is_said(tmp_path, capsys) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    writer = latch_writer(blocked / "latch.json", at_once=True)
    writer.put(Latch(stopped_by="ada"))
    writer.close()
    assert "would not survive a restart" in capsys.readouterr().err
