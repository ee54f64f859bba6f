"""What a step says was asked for, where the arm is blocked and the reference cannot follow."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from hardware.memory import Record
from robot_rl.daemon import topics
from robot_rl.schema.live.client_message import AcquireLease, Takeover
from tests.daemon.control.stand import MS, ControlStand

STEP_NS = 100 * MS
DOWN = (0.0, 0.0, -0.5, 0.0, 0.0, 0.0)


@pytest.fixture
def stand() -> ControlStand:
    return ControlStand()


def offered(stand: ControlStand, action: Sequence[float], chunk_id: int) -> Record:
    """A chunk of one action for the next window."""
    chunk = np.zeros((), topics.chunk_type(7))
    begins_ns = (stand.now_ns // STEP_NS + 1) * STEP_NS + 50 * MS
    chunk["chunk_id"], chunk["count"], chunk["dt_ns"] = chunk_id, 1, STEP_NS
    chunk["observation_ns"], chunk["valid_from_ns"] = begins_ns - 50 * MS, begins_ns
    chunk["epoch"] = stand.status["epoch"]
    chunk["risk"], chunk["policy_version"] = topics.NO_CRITIC, 3
    chunk["actions"][0] = action
    return cast(Record, chunk[()])


def of_source(results: Sequence[Record], source: bytes) -> list[Record]:
    return [each for each in results if bytes(each["source"]) == source]


def test_a_policy_that_pushes_on_against_an_obstacle_is_recorded_as_pushing(
    stand: ControlStand,
) -> None:
    """The stand's arm never moves: the clip of 20 mm holds the reference back."""
    stand.begin_autonomy()
    results: list[Record] = []
    for number in range(1, 13):
        chunk = offered(stand, [0.0, 0.0, -0.8, 0.0, 0.0, 0.0, 0.0], number)
        results += stand.tick(chunk=chunk).step_results
        for _ in range(19):
            results += stand.tick().step_results
    policy = of_source(results, b"policy")[2:-1]
    assert len(policy) >= 6
    executed = np.array([each["executed"] for each in policy])
    commanded = np.array([each["commanded"] for each in policy])
    assert np.abs(executed[2:, 2]).max() < 0.3
    np.testing.assert_allclose(commanded, [each["proposed"] for each in policy], atol=1e-9)


def test_what_a_person_asks_for_is_their_velocity_times_the_window(stand: ControlStand) -> None:
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=False)
    stand.ask(Takeover, device="keyboard")
    results: list[Record] = []
    for _ in range(60):
        results += stand.drive(dead_man=True, axes=DOWN).step_results
        for _ in range(3):
            results += stand.tick().step_results
    human = of_source(results, b"human")[3:]
    assert len(human) >= 6
    blocked = np.array([each["human"][2] for each in human])
    asked = np.array([each["commanded"][2] for each in human])
    assert np.abs(blocked).max() < 0.1, "the clip holds the reference where it is"
    assert (asked < -0.2).all()
    np.testing.assert_allclose(asked, asked[0], atol=0.06)  # a tick more or less in a window


def test_nobody_asks_for_anything_while_it_holds(stand: ControlStand) -> None:
    results: list[Record] = []
    for _ in range(60):
        results += stand.tick().step_results
    assert results
    assert not any(each["commanded"].any() for each in results)
