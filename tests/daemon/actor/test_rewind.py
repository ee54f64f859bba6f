"""Going back in the record: its steps, and the event that says who or what began it."""

from pathlib import Path

from robot_rl.schema.episode import SafetyEvent
from safety.vocabulary import Source
from tests.daemon.actor.rig import Rig, of, steps_of


def test_steps_and_cause_are_recorded_and_the_episode_goes_on(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=8)
    rig.start()
    rig.run(3)
    said = "Rewinds: the contact force was beyond 20 N."
    rig.mode("rewinding", tell=said, previous="autonomous")
    rig.run(2)
    rig.mode("paused", tell="Went back by 98 mm.", previous="rewinding")
    rig.run(6)
    contents = rig.recorded()
    (event,) = of(SafetyEvent, contents)
    assert (event.code, event.cause) == ("rewind", said)
    steps = steps_of(contents)
    assert event.episode_id == steps[0].episode_id
    back = [step for step in steps if step.source is Source.REWIND]
    assert len(back) == 2
    assert all(step.human_action is None for step in back)
    assert all(step.executed_action is not None for step in back)
    rig.outbox.close()
