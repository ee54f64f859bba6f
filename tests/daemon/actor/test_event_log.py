"""Safety events in the record: each belongs to the episode in which it happened."""

from pathlib import Path

import numpy as np
from torch import nn

from robot_rl.daemon.messages import LimitProfileChanged
from robot_rl.policy.head import HeadPolicy
from robot_rl.schema.episode import EpisodeStarted, SafetyEvent
from tests.daemon.actor.rig import MS, Rig, of, steps_of


def happens(rig: Rig, t_ns: int) -> None:
    """Somebody switched a profile on at that time; control tells it now."""
    rig.happens(LimitProfileChanged(by="ada", text="fragile is on", t_ns=t_ns))


def test_an_event_that_is_told_late_belongs_to_its_own_episode(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=4)
    before_ns = rig.clock.t_ns - MS
    rig.start()
    rig.run(1)
    in_first_ns = rig.clock.t_ns
    while rig.stage == "running":
        rig.run(1)
    rig.reset()
    between_ns = rig.clock.t_ns - MS
    rig.start()
    rig.run(1)
    first, second = (each.episode_id for each in of(EpisodeStarted, rig.recorded()))
    for t_ns in (before_ns, in_first_ns, between_ns, rig.clock.t_ns):
        happens(rig, t_ns)
    rig.run(1)
    told = of(SafetyEvent, rig.recorded())
    assert [event.episode_id for event in told] == [None, first, None, second]
    assert [event.t_robot_ns for event in told][1] == in_first_ns
    rig.outbox.close()


def test_a_rejected_action_is_an_event_of_its_step(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=4)
    policy = rig.policy.policy
    assert isinstance(policy, HeadPolicy)
    nn.init.constant_(policy.head.mean.bias, np.nan)
    rig.start()
    rig.run(3)
    recorded = rig.recorded()
    events = of(SafetyEvent, recorded)
    (started,) = of(EpisodeStarted, recorded)
    rejected = [step.t_robot_ns for step in steps_of(recorded) if step.reject_reason]
    assert [event.t_robot_ns for event in events] == rejected
    assert len(rejected) >= 2
    assert {(event.code, event.by, event.episode_id) for event in events} == {
        ("reject", "policy", started.episode_id)
    }
    rig.outbox.close()
