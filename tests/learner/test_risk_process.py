"""The learner with a risk critic: it travels with versions, and a restart goes on bit for bit."""

from pathlib import Path

import pytest
import torch

from robot_rl.config.risk import RiskSection
from robot_rl.config.task import Task
from robot_rl.learner.learner import Learner
from robot_rl.learner.risk.release import RiskRelease
from tests.learner.lab import Lab, record_episode
from tests.learner.test_process import same, session, weights, whole


def with_critic(task: Task) -> Task:
    return task.model_copy(update={"risk": RiskSection(width=16, batch=16)})


def critic(learner: Learner) -> dict[str, torch.Tensor]:
    assert learner.risk is not None
    return {key: value.clone() for key, value in learner.risk.state().items()}


def test_it_is_trained_once_a_step_and_travels_once_it_knows_of_dangers(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    for seed in range(1, 5):
        record_episode(lab, task, seed, steps=9, braked=(3, 4))
    learner = session(lab, with_critic(task), tmp_path, whole(lab))
    assert int(critic(learner)["model.updates"]) == 36 - 4, "start_steps is 4"
    travelled = [manifest.risk is not None for manifest, _, _ in lab.policies]
    assert travelled[0] is False, "the start knows of nothing"
    assert travelled[-1] is True
    assert travelled == sorted(travelled)


def test_it_changes_nothing_that_the_policy_learns(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    for seed in range(1, 4):
        record_episode(lab, task, seed, steps=9, human=(2,), braked=(5,))
    plain = session(lab, task, tmp_path / "one", whole(lab))
    judged = session(lab, with_critic(task), tmp_path / "two", whole(lab))
    assert same(weights(plain), weights(judged))
    assert plain.replay.sampled_rows == judged.replay.sampled_rows


def test_a_restart_goes_on_bit_for_bit(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    for seed in range(1, 5):
        record_episode(lab, task, seed, steps=9, human=(seed,), braked=(6, 7))
    judged = with_critic(task)
    unbroken = critic(session(lab, judged, tmp_path / "one", whole(lab)))
    for cut in (12, 21):
        session(lab, judged, tmp_path / "two", lambda _cursor, steps, cut=cut: steps >= cut)
    broken = session(lab, judged, tmp_path / "two", whole(lab))
    assert same(unbroken, critic(broken))
    other = session(lab, judged, tmp_path / "three", lambda _cursor, steps: steps >= 30)
    assert not same(unbroken, critic(other)), "positive control: less training differs"


def test_a_task_that_gets_or_loses_its_critic_goes_on(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=9, braked=(6,))
    session(lab, task, tmp_path, whole(lab))
    record_episode(lab, task, 2, steps=9)
    gained = session(lab, with_critic(task), tmp_path, whole(lab))
    assert int(critic(gained)["model.updates"]) == 9
    record_episode(lab, task, 3, steps=9)
    assert session(lab, task, tmp_path, whole(lab)).risk is None


def test_a_restart_does_not_forget_the_critic_that_judges(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it no new one is fit to judge: the versions keep the one from before."""
    lab = Lab()
    for seed in range(1, 5):
        record_episode(lab, task, seed, steps=9, braked=(3, 4))
    judged = with_critic(task)
    session(lab, judged, tmp_path, whole(lab))
    count, before = len(lab.policies), lab.policies[-1][0].risk
    assert before is not None
    monkeypatch.setattr(RiskRelease, "_unfit", lambda *_args: "it is not fit")
    for seed in range(5, 8):
        record_episode(lab, task, seed, steps=9)
    session(lab, judged, tmp_path, whole(lab))
    assert len(lab.policies) > count
    assert all(manifest.risk == before for manifest, _, _ in lab.policies[count:])
    assert any("it is not fit" in each.message for each in lab.progress), "and people are told"
