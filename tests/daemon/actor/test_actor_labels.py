"""Whose word on success reaches actor and record: the simulator's, or the person's alone."""

from pathlib import Path

import pytest

from robot_rl.config.task import Reward
from robot_rl.schema.episode import EpisodeEnded, Outcome
from robot_rl.schema.live.client_message import Label
from tests.daemon.actor.rig import Rig, of, steps_of


@pytest.mark.parametrize("said", ["success", "failed"])
def test_with_the_operators_reward_nobody_hears_the_simulator(
    tmp_path: Path, seed: int, said: str
) -> None:
    rig = Rig(tmp_path, seed, max_steps=12, reward=Reward(source="operator"))
    rig.start()
    rig.run(2)
    rig.judge(said)
    rig.run(4)
    assert rig.stage == "running", "only the person ends it"
    assert not rig.episode.read()["success_seen"]
    assert rig.ask(Label, outcome="failure").accepted
    rig.run(3)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.FAILURE, "ada")
    steps = steps_of(contents)
    assert len(steps) > 5
    assert {step.evidence.simulator_success for step in steps} == {None}
    assert [step.terminated for step in steps].count(True) == 1
    rig.outbox.close()


def test_otherwise_its_word_ends_the_episode_and_is_recorded(tmp_path: Path, seed: int) -> None:
    """The control: the same world, and a task that believes the simulator."""
    rig = Rig(tmp_path, seed, max_steps=12)
    rig.start()
    rig.run(2)
    rig.judge("success")
    rig.run(4)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.SUCCESS, "simulator")
    assert steps_of(contents)[-1].evidence.simulator_success is True
    rig.outbox.close()
