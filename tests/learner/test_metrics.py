"""What is measured at every update: read back with the tools' own readers, and harmless."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from robot_rl.config import BadConfig
from robot_rl.config import metrics as tools
from robot_rl.config.document import CHECKOUT, load_task
from robot_rl.config.metrics import MetricsToolMissing
from robot_rl.config.task import Task
from robot_rl.learner.algorithm import Metrics
from robot_rl.learner.learner import METRICS
from robot_rl.learner.metrics_files import open_files
from tests.learner.lab import Lab, record_episode
from tests.learner.test_process import same, session, weights, whole


def recorded(task: Task) -> Lab:
    lab = Lab()
    for number in range(1, 4):
        record_episode(lab, task, number, steps=20, human=(4, 5))
    return lab


def wanting(task: Task, *names: str) -> Task:
    return task.model_copy(
        update={"learner": task.learner.model_copy(update={"metrics": tuple(names)})}
    )


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Tag → update → value, as TensorBoard itself reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(os.fspath(folder), size_guidance={"scalars": 0})
    events.Reload()
    found = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    return {tag: {each.step: each.value for each in values} for tag, values in found.items()}


def test_tensorboard_reads_every_update_and_nothing_is_trained_otherwise(
    task: Task, tmp_path: Path
) -> None:
    plain = recorded(task)
    without = session(plain, task, tmp_path / "without", whole(plain))
    lab = recorded(task)
    learner = session(lab, wanting(task, "tensorboard"), tmp_path, whole(lab))
    assert same(weights(without), weights(learner)), "it only looks"
    found = scalars(tmp_path / task.name / METRICS / "tensorboard")
    updates = 2 * (60 - 4)
    assert list(found["update/critic"]) == list(range(1, updates + 1))
    assert list(found["gradient/critic"]) == list(found["update/critic"])
    assert {"gradient/actor", "gradient/temperature", "update/entropy"} <= found.keys()
    assert list(found["value/q"]) == list(found["value/return"]) == [50, 100]
    assert 0 < found["batch/person"][updates] < 1
    assert set(found["batch/online"].values()) <= {0.5, 1.0}
    assert found["age/episodes_p50"][1] == 0, "there is one episode"
    assert found["age/episodes_p90"][updates] == 2, "of three"
    assert all(math.isfinite(value) for values in found.values() for value in values.values())


def test_a_learner_that_is_started_again_goes_on_in_the_same_place(
    task: Task, tmp_path: Path
) -> None:
    lab, wanted = recorded(task), wanting(task, "tensorboard")
    session(lab, wanted, tmp_path, whole(lab))
    record_episode(lab, task, 4, steps=10)
    session(lab, wanted, tmp_path, whole(lab))
    found = scalars(tmp_path / task.name / METRICS / "tensorboard")
    assert list(found["update/critic"]) == list(range(1, 2 * (70 - 4) + 1))


def test_trackio_keeps_them_in_a_file_of_this_machine(tmp_path: Path) -> None:
    """In a process of its own, because its folder is fixed when it is imported."""
    script = (
        "import sys; from pathlib import Path; from robot_rl.learner.metrics_files import *\n"
        "file = open_files(['trackio'], Path(sys.argv[1]), 'lift_cube', 0)['trackio']\n"
        "[file.write(update, {'update/critic': update / 2}) for update in (1, 2, 3)]\n"
        "file.close()\n"
        "from trackio.sqlite_storage import SQLiteStorage\n"
        "logs = SQLiteStorage.get_logs('lift_cube', 'learner')\n"
        "assert [each['step'] for each in logs] == [1, 2, 3], logs\n"
        "assert [each['update/critic'] for each in logs] == [0.5, 1.0, 1.5], logs\n"
    )
    environment = {key: value for key, value in os.environ.items() if "TRACKIO" not in key}
    ended = subprocess.run(
        [sys.executable, "-c", script, os.fspath(tmp_path)],
        cwd=CHECKOUT,
        env=environment | {"HF_HUB_OFFLINE": "1", "HF_HOME": os.fspath(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert list((tmp_path / "trackio").glob("*.db"))


class FullDisk:
    """Takes some values, and then none."""

    def __init__(self, room: int) -> None:
        self.room, self.written = room, 0

    def write(self, update: int, values: Metrics) -> None:
        del update, values
        if self.written == self.room:
            raise OSError(28, "No space left on device")
        self.written += 1

    def close(self) -> None:
        raise AssertionError("it was given up")


def test_training_goes_on_when_a_file_cannot_be_written(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, lab = FullDisk(room=3), recorded(task)
    monkeypatch.setattr("robot_rl.learner.learner.open_files", lambda *_: {"tensorboard": disk})
    learner = session(lab, task, tmp_path, whole(lab))
    assert (disk.written, learner.algorithm.counts.critic) == (3, 2 * (60 - 4))
    told = [progress.message for progress in lab.progress if progress.message]
    assert any("no longer written for tensorboard" in message for message in told)


def test_a_library_that_is_not_installed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    with pytest.raises(MetricsToolMissing, match=r"install 'robot-rl\[metrics\]', or take"):
        open_files(["tensorboard"], tmp_path, "lift_cube", 0)
    assert open_files([], tmp_path, "lift_cube", 0) == {}


def test_a_tool_that_nobody_knows(tmp_path: Path) -> None:
    source = load_task("lift_cube").path
    text = source.read_text().replace(
        'folder = "lift_cube"', f'folder = "{source.parent}/lift_cube"'
    )
    path = tmp_path / "task.toml"
    path.write_text(text.replace("[learner]", '[learner]\nmetrics = ["wandb"]'))
    with pytest.raises(BadConfig, match="should be 'tensorboard' or 'trackio'"):
        load_task(str(path))
    path.write_text(text.replace("[learner]", '[learner]\nmetrics = ["tensorboard"]'))
    assert load_task(str(path)).learner.metrics == ("tensorboard",)


def test_the_norm_is_of_all_gradients(task: Task, tmp_path: Path) -> None:
    """Of the last update they are still there."""
    lab = recorded(task)
    learner = session(lab, wanting(task, "tensorboard"), tmp_path, whole(lab))
    found = scalars(tmp_path / task.name / METRICS / "tensorboard")["gradient/critic"]
    groups = getattr(learner.algorithm, "optimizers")["critic"].param_groups  # noqa: B009
    gradients = [each.grad.flatten() for group in groups for each in group["params"]]
    assert found[max(found)] == pytest.approx(float(torch.cat(gradients).norm()), rel=1e-5)
