"""Limit profiles in the record: each step says which were active, and each press who pressed."""

from pathlib import Path

from robot_rl.daemon import messages
from robot_rl.schema.episode import SafetyEvent
from tests.daemon.actor.rig import Rig, of, steps_of


def test_steps_and_presses_are_recorded(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=8)
    rig.start()
    rig.run(3)
    rig.profiles = b"fragile hot"
    said = "ada switched the limit profile 'Fragile object' on: speed at most 0.15 m/s."
    rig.happens(messages.LimitProfileChanged(by="ada", text=said, t_ns=rig.clock.t_ns))
    rig.run(8)
    contents = rig.recorded()
    active = [step.limit_profiles for step in steps_of(contents)]
    assert active[0] == ()
    assert ("fragile", "hot") in active
    (event,) = of(SafetyEvent, contents)
    assert (event.code, event.by, event.cause) == ("limit_profile", "ada", said)
    assert event.episode_id == steps_of(contents)[0].episode_id
    assert said in rig.said.sentences
    rig.outbox.close()
