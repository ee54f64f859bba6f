"""Two arms of another package in one cell: a real daemon runs an episode that moves both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_example_arm import CELL, ROOT, installed

__all__ = ["installed"]  # the fixture: the example package as an installer puts it down

TASK = """
name = "two_arms"
instruction = "move both hands"
max_steps = 20
failure_classes = ["missed"]
cameras = ["front"]
[action]
arms = ["left", "right"]
translation_m = [0.01, 0.01, 0.01]
[arms.left]
home_position_m = [0.42, 0.0, 0.22]
[arms.right]
home_position_m = [0.42, 0.0, 0.22]
[reset]
instructions = "Nothing to do."
confirm = false
[interventions]
unattended_s = 600
[policy]
folder = "policy"
"""

PROGRAM = """
import sys, time
from pathlib import Path
from uuid import uuid4
import cv2, numpy as np
from hardware import arm_topics
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.supervisor import Daemon
from robot_rl.policy.starting import write_untrained
from robot_rl.schema.live.client_message import StartEpisode
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.segment import RecordedStep, decode_segment, encode_segment

def eventually(true, what):
    deadline = time.monotonic() + 120.0
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)

def main(folder):
    film = cv2.VideoWriter(
        str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (128, 128)
    )
    for number in range(9000):  # five minutes
        film.write(np.full((128, 128, 3), number % 256, np.uint8))
    film.release()
    task = load_task(str(folder / "task.toml"))
    write_untrained(folder / "policy", task, 0)
    settings = DaemonSettings(
        cell=load_cell(str(folder / "cell.toml")), task=task, data_folder=folder / "data"
    )
    daemon = Daemon(settings)
    daemon.start()
    try:
        arms = [
            arm_topics.open_state(arm_topics.arm_folder(settings.memory, name), arm.joints)
            for name, arm in settings.cell.arms.items()
        ]
        episode = topics.open_slot(settings.memory, "episode")
        requests = topics.open_ring(settings.memory, "actor_requests")
        eventually(lambda: episode.count and bool(episode.read()["loaded"]), "no policy")
        time.sleep(1.0)
        begin = [np.array(arm.read()["q"]) for arm in arms]
        start = StartEpisode(request_id=uuid4(), echo_t_ns=time.monotonic_ns())
        sender = FromClient(client_id=uuid4(), user="ada", message=start)
        assert messages.send(requests, sender)
        said = [set() for _ in arms]
        def recorded():
            for arm, refusals in zip(arms, said, strict=True):
                refusals.add(bytes(arm.read()["refusal"]).rstrip(b"\\0").decode())
            return int(episode.read()["recorded_steps"]) >= task.max_steps
        eventually(recorded, "no steps")
        print(sorted(name for name in daemon.pids() if name.startswith("arm")))
        for arm, before, refusals in zip(arms, begin, said, strict=True):
            seen = arm.read()
            moved = float(np.abs(np.array(seen["q"]) - before).max())
            others = [each for each in refusals if each and not each.endswith("ms old")]
            print(f"{moved:.4f}", int(seen["commands"]), int(seen["refused"]),
                  bool(seen["braking"]), others, flush=True)
    finally:
        daemon.stop()
    outbox = OutboxReader(settings.outbox_file)
    rows = outbox.pending(0, 1000).rows
    outbox.close()
    steps = [row.content.step for row in rows if isinstance(row.content, RecordedStep)]
    decoded = decode_segment(encode_segment([RecordedStep(step=step, images={}) for step in steps]))
    assert [each.step.arms for each in decoded] == [step.arms for step in steps]
    print(sorted(steps[0].arms), len(steps[0].executed_action), len(steps))
    executed = np.array([step.executed_action for step in steps if step.executed_action])
    print(bool(np.abs(executed[:, :6]).max() > 0.05), bool(np.abs(executed[:, 7:13]).max() > 0.05))

if __name__ == "__main__":
    main(Path(sys.argv[1]))
"""


def two_arm_cell(video: Path) -> str:
    """The example arm twice."""
    arm = CELL[CELL.index("[arm]") : CELL.index("[cameras.front]")]
    both = "".join(
        arm.replace("[arm]", f"[arms.{name}]")
        .replace("[limits", f"[arms.{name}.limits")
        .replace("[impedance]", f"[arms.{name}.impedance]")
        for name in ("left", "right")
    )
    return CELL.replace(arm, both).format(video=video)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_arms_of_another_package_run_an_episode(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text(two_arm_cell(tmp_path / "film.avi"))
    (tmp_path / "task.toml").write_text(TASK)
    script = tmp_path / "run.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{installed}"},
    )
    log = tmp_path / "data" / "daemon.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    processes, left, right, recorded, both = done.stdout.splitlines()
    assert processes == "['arm_left', 'arm_right']"
    for said in (left, right):
        moved, commands, refused, braking, others = said.split(" ", 4)
        assert float(moved) > 0.01, "the policy moved it"
        assert int(commands) > 100
        assert braking == "False"
        # A busy machine may bring a command late now and then; nothing else may stand against one.
        assert others == "[]"
        assert int(refused) < 0.05 * int(commands)
    names, columns, steps = recorded.rsplit(" ", 2)
    assert (names, columns) == ("['left', 'right']", "14")
    assert int(steps) >= 21
    assert both == "True True", "each arm's motion stands in its own columns"
