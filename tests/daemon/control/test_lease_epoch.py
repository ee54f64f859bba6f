"""The lease's epoch never goes back, whatever is started again."""

import time
from pathlib import Path
from uuid import uuid4

import pytest

from robot_rl.daemon.control.lease_epoch import BLOCK, reserve_epochs
from robot_rl.schema.live.client_message import AcquireLease, Clear, Takeover


def test_each_start_has_a_block_of_epochs_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "data" / "control_starts"
    first = [reserve_epochs(file) for _ in range(3)]
    assert first == [BLOCK, 2 * BLOCK, 3 * BLOCK]


@pytest.mark.parametrize("content", [b"", b"many", b"\xff\xfe"])
def test_a_count_that_cannot_be_read_is_replaced_by_something_greater(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "control_starts"
    before = [reserve_epochs(file) for _ in range(3)]
    file.write_bytes(content)
    after = [reserve_epochs(file) for _ in range(2)]
    assert before[-1] < after[0] < after[1] < 2**53
    assert "cannot be read" in capsys.readouterr().err


def test_a_full_disk_does_not_bring_an_old_epoch_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "control_starts"
    before = reserve_epochs(file)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("robot_rl.durable_file.write", full)
    assert reserve_epochs(file) > before
    assert "No space left" in capsys.readouterr().err
    assert reserve_epochs(file) >= int(time.time() - 60) * BLOCK


def test_a_command_from_before_a_restart_of_control_is_refused(make_robot) -> None:
    robot = make_robot()
    robot.start("arm", "control")
    robot.run(100)
    robot.take_over()
    epoch = int(robot.status["lease_epoch"])
    robot.kill("control")
    robot.run(200)
    robot.start("control")
    robot.run(100)
    assert robot.status["lease_epoch"] > epoch
    assert robot.answer_of(Clear).accepted
    assert robot.answer_of(AcquireLease).accepted
    assert robot.status["lease_epoch"] > epoch
    robot.drive(deadman=False)
    robot.run(20)
    robot.ask(Takeover(request_id=uuid4(), device="keyboard"))
    before = robot.position_m
    robot.drive_for(300, epoch=epoch, axes=(0.0, 1.0, 0, 0, 0, 0))
    assert robot.mode != "takeover"
    assert abs(robot.position_m - before).max() < 0.002
