"""What cloning is given: whole successful demonstrations, and nothing else."""

import threading

from robot_rl.config.document import load_task
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.recorded import fetch_demonstrations
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.feed import Excluded, Relabelled, SegmentStored
from tests.learner.lab import NOON, Lab, record_episode


def client_of(lab: Lab) -> ServerClient:
    return ServerClient(
        "http://lab", "secret", threading.Event(), say=print, transport=lab.transport()
    )


def test_only_whole_successful_demonstrations_are_cloned_from() -> None:
    lab, task = Lab(), load_task("lift_cube")
    shown = Purpose.DEMONSTRATION
    every = tuple(range(8))
    good, _ = record_episode(lab, task, 1, purpose=shown, human=every)
    record_episode(lab, task, 2, purpose=Purpose.TRAINING, human=every)
    record_episode(lab, task, 3, purpose=shown, human=every, outcome=Outcome.FAILURE)
    excluded, _ = record_episode(lab, task, 4, purpose=shown, human=every)
    lab.put(Excluded(episode_id=excluded, excluded=True, author="anna", t_utc=NOON))
    mended, _ = record_episode(lab, task, 5, purpose=shown, outcome=Outcome.FAILURE)
    lab.put(Relabelled(episode_id=mended, outcome=Outcome.SUCCESS, author="anna", t_utc=NOON))
    gap, _ = record_episode(lab, task, 6, purpose=shown, human=every)
    lab.items = [
        item
        for item in lab.items
        if not (
            isinstance(item.event, SegmentStored)
            and item.event.episode_id == gap
            and item.event.first_index == 3
        )
    ]
    lab.items = [
        item.model_copy(update={"number": number}) for number, item in enumerate(lab.items, 1)
    ]
    episodes = fetch_demonstrations(client_of(lab), task)
    assert [records[0].step.episode_id for records in episodes] == [good, mended]
    assert all(len(records) == 9 for records in episodes)


def test_demonstrations_are_measured_by_the_first_episode_as_the_learner_does() -> None:
    lab, task = Lab(), load_task("lift_cube")
    record_episode(lab, task, 1)
    record_episode(lab, task, 2, purpose=Purpose.DEMONSTRATION, cell="another cell")
    mine, _ = record_episode(lab, task, 3, purpose=Purpose.DEMONSTRATION)
    episodes = fetch_demonstrations(client_of(lab), task)
    assert [records[0].step.episode_id for records in episodes] == [mine]
