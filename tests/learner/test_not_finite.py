"""NaN in a batch, a weight or a saved state: never published, never saved, said in words."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save

from robot_rl.config.compute import ComputeSection
from robot_rl.config.shaping import ShapingSection
from robot_rl.config.task import Task
from robot_rl.errors import Unavailable
from robot_rl.learner.algorithm import Losses
from robot_rl.learner.checkpoint import BadLearnerState
from robot_rl.learner.derived import FEATURES, BatchColumn
from robot_rl.learner.learner import Learner
from robot_rl.learner.releases import Releases
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.samplers import Sampler
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.seeing.carry_over import Translation
from robot_rl.learner.seeing.refresh import Refreshed
from robot_rl.policy.head import Head
from robot_rl.policy.weights import read_metadata
from tests.learner.lab import Lab, record_episode
from tests.learner.test_process import session, weights, whole

STEPS, UPDATES = 24, 2 * (24 - 4)


@pytest.fixture
def lab(task: Task) -> Lab:
    lab = Lab()
    for seed in (1, 2, 3):
        record_episode(lab, task, seed, steps=8, human=(2, 3))
    return lab


def batches(poisoned: Callable[[int], bool]) -> Callable[[Learner], None]:
    """Makes the features of those batches, counted from 1, NaN."""

    def prepare(learner: Learner) -> None:
        sample, drawn = learner.replay.sample, 0

        def poison(
            count: int,
            rng: np.random.Generator,
            sampler: Sampler,
            columns: Iterable[BatchColumn],
        ) -> Batch:
            nonlocal drawn
            drawn += 1
            batch = sample(count, rng, sampler, columns)
            if not poisoned(drawn):
                return batch
            features = torch.full_like(batch[FEATURES], torch.nan)
            return replace(batch, columns={**batch.columns, FEATURES: features})

        learner.replay.sample = poison

    return prepare


def parameter_after(update: int) -> Callable[[Learner], None]:
    """Makes a weight of the head infinite after an update, whose losses are as usual."""

    def prepare(learner: Learner) -> None:
        algorithm, made = learner.algorithm, 0
        inner = algorithm.update

        def poison(data: Replay, rng: np.random.Generator) -> Losses:
            nonlocal made
            made += 1
            losses = inner(data, rng)
            if made == update:
                head = algorithm.head
                assert isinstance(head, Head)
                with torch.no_grad():
                    head.mean.weight[0, 0] = torch.inf
            return losses

        algorithm.update = poison

    return prepare


def finite(tensors: dict[str, torch.Tensor]) -> bool:
    return all(bool(torch.isfinite(each.double()).all()) for each in tensors.values())


def all_is_finite(lab: Lab, data: Path, task: Task) -> bool:
    """What was published and what was saved."""
    heads = [load(head) for _, head, _ in lab.policies]
    return all(map(finite, [*heads, load_file(data / task.name / STATE)]))


def said(lab: Lab) -> list[str]:
    return [progress.message for progress in lab.progress if progress.message]


def test_a_batch_that_is_not_finite_is_undone_and_training_goes_on(
    task: Task, lab: Lab, tmp_path: Path
) -> None:
    learner = session(lab, task, tmp_path, whole(lab), prepare=batches(lambda drawn: drawn == 14))
    assert all_is_finite(lab, tmp_path, task)
    assert finite(weights(learner))
    counts = learner.algorithm.counts
    assert 0 < counts.critic < UPDATES, "those since the last good state are undone"
    undone = UPDATES - counts.updates
    assert said(lab)[-1] == (
        f"the loss critic is nan: the learner goes back {undone} updates, to the last good state"
    )
    assert all(torch.isfinite(torch.tensor([*p.losses.values()])).all() for p in lab.progress)
    last = lab.policies[-1][0].update
    assert last is not None
    assert last.env_steps > 12, "it goes on publishing"
    named = [item for m, _, _ in lab.policies if m.update for item in m.update.new_interventions]
    assert len(named) == len(set(named)) == 2, "no correction is lost, and none told of twice"


def test_what_is_told_for_a_while_stands_before_what_is_told_for_long(
    task: Task, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning of the risk critic's lasts for many versions."""
    monkeypatch.setattr(Releases, "warning", "it holds back more than it promised")
    monkeypatch.setattr("robot_rl.learner.learner.MESSAGE_SHOWN_S", np.inf)
    session(lab, task, tmp_path, whole(lab), prepare=batches(lambda drawn: drawn == 14))
    assert "it holds back more than it promised" in said(lab)
    assert "the learner goes back" in said(lab)[-1]


def reading_seldom(task: Task) -> Task:
    compute = ComputeSection(read_updates=50)
    learner = task.learner.model_copy(update={"compute": compute})
    return task.model_copy(update={"learner": learner})


def test_what_is_read_late_is_read_before_a_version(task: Task, tmp_path: Path) -> None:
    """One bad batch is gone back from once, and not again when its losses are read."""
    lab = Lab()
    for seed in (1, 2, 3):
        record_episode(lab, task, seed, steps=8, human=(2, 3), segment=9)  # no report in between
    poisoned = batches(lambda drawn: drawn == 14)
    learner = session(lab, reading_seldom(task), tmp_path, whole(lab), prepare=poisoned)
    assert all_is_finite(lab, tmp_path, task)
    assert learner._good.went_back == 1
    assert learner._good.stopped == ""
    assert "the loss critic is nan: the learner goes back" in said(lab)[-1]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_refreshed_encoder_gets_a_finite_state(
    task: Task, lab: Lab, tmp_path: Path, stopped: bool
) -> None:
    learner = session(lab, task, tmp_path, whole(lab))
    head, features = learner.algorithm.head, learner._backbone.size
    assert isinstance(head, Head)
    with torch.no_grad():
        head.mean.weight[0, 0] = torch.nan
    if stopped:
        learner._good.accepts({"critic": float("nan")})
        learner._good.accepts({"critic": float("nan")})
        assert learner._good.stopped
    translation = Translation(
        matrix=torch.eye(features), offset=torch.zeros(features), unexplained=0.0
    )
    refreshed = Refreshed(folder=tmp_path, sha256="0" * 64, translation=translation, text="it")
    learner._take_refreshed(refreshed)
    learner._save()
    assert learner._refreshed is not stopped, "what has stopped is not started again by it"
    assert finite(weights(learner))
    assert finite(load_file(tmp_path / task.name / STATE))


def test_a_state_that_is_not_finite_is_never_written(task: Task, lab: Lab, tmp_path: Path) -> None:
    """Whatever is beside the algorithm: here the progress model, which is fitted to nothing yet."""
    shaping = ShapingSection(weight=0.5, first_successes=100)
    shaped = task.model_copy(
        update={"learner": task.learner.model_copy(update={"shaping": shaping})}
    )
    session(lab, shaped, tmp_path, lambda _cursor, steps: steps >= 10)
    state = tmp_path / task.name / STATE
    before = state.read_bytes()

    def poison(learner: Learner) -> None:
        write = learner._saved.write

        def poisoned(*given: Any, **named: Any) -> None:
            assert learner._shaping is not None
            with torch.no_grad():
                next(learner._shaping.network.parameters()).fill_(torch.nan)
            write(*given, **named)

        learner._saved.write = poisoned

    with pytest.raises(Unavailable, match=r"cannot be saved .*the tensor shaping\..* not finite"):
        session(lab, shaped, tmp_path, whole(lab), prepare=poison)
    assert state.read_bytes() == before


def test_batches_that_are_never_finite_stop_the_training(
    task: Task, lab: Lab, tmp_path: Path
) -> None:
    learner = session(lab, task, tmp_path, whole(lab), prepare=batches(lambda drawn: drawn > 14))
    assert learner.intake.cursor == len(lab.items), "the robot does not wait in vain"
    assert all_is_finite(lab, tmp_path, task)
    assert said(lab)[-1] == lab.progress[-1].message
    assert said(lab)[-1].startswith(
        "training has stopped: the loss critic is nan, again within 1000"
    )
    assert "the last good version goes on acting" in said(lab)[-1]
    assert "start the learner again" in said(lab)[-1]
    assert lab.progress[-1].paused
    published = lab.policies[-1][0].update
    assert published is not None
    assert published.env_steps < 20, "nothing is published after that"
    assert learner.publisher.version == lab.progress[-1].version == len(lab.policies)
    again = session(lab, task, tmp_path, lambda *_: True)
    assert finite(weights(again)), "and it can be started again"


@pytest.mark.parametrize("update", [1, 15, UPDATES])
def test_a_weight_that_is_not_finite_is_never_published_or_saved(
    task: Task, lab: Lab, tmp_path: Path, update: int
) -> None:
    learner = session(lab, task, tmp_path, whole(lab), prepare=parameter_after(update))
    assert all_is_finite(lab, tmp_path, task)
    assert finite(weights(learner))


def test_a_weight_is_looked_at_before_it_is_published(task: Task, lab: Lab, tmp_path: Path) -> None:
    """After the last update before a version, when no loss shows it."""
    due = 2 * (5 - 4)  # the first version after the start
    session(lab, task, tmp_path, whole(lab), prepare=parameter_after(due))
    assert all_is_finite(lab, tmp_path, task)
    assert any("model.head.mean.weight holds values that are not finite" in m for m in said(lab))


def test_a_saved_state_that_is_not_finite_is_refused(task: Task, lab: Lab, tmp_path: Path) -> None:
    """As an older release could write it."""
    session(lab, task, tmp_path, whole(lab))
    path = tmp_path / task.name / STATE
    data = path.read_bytes()
    tensors = load(data)
    tensors["model.head.mean.bias"][0] = torch.nan
    path.write_bytes(save(tensors, dict(read_metadata(data, "it"))))
    with pytest.raises(BadLearnerState, match=r"model\.head\.mean\.bias .* move the file away"):
        session(lab, task, tmp_path, whole(lab))
