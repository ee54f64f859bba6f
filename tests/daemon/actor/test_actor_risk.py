"""The risk critic on the robot: it comes with a version, judges, is recorded, reaches control."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import torch
from torch import nn

from robot_rl.config.risk import RiskSection
from robot_rl.daemon.topics import NO_CRITIC, risk_of, risk_threshold_of
from robot_rl.policy.head import HeadPolicy
from robot_rl.policy.risk_critic import RiskNet, RiskParts, RiskSettings
from robot_rl.policy.risk_weights import encode_risk
from robot_rl.schema.episode import RiskEvent, SafetyEvent
from tests.daemon.actor.rig import Rig, of, steps_of

WIDTH = 16


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=20, risk=RiskSection(width=WIDTH))
    yield rig
    rig.outbox.close()


def critic(rig: Rig, risk: float, threshold: float | None, *, columns: int = 7) -> bytes:
    """One that says `risk` of everything."""
    policy = rig.policy.policy
    assert isinstance(policy, HeadPolicy)
    net = RiskNet(policy.backbone.size, columns, WIDTH)
    nn.init.zeros_(net.values.weights[-1])
    nn.init.constant_(net.values.biases[-1], float(torch.tensor(risk).logit()))
    settings = RiskSettings(
        features=policy.backbone.size,
        action=columns,
        width=WIDTH,
        number=4,
        threshold=threshold,
        calibrated_on=30,
    )
    return encode_risk(RiskParts(settings=settings, net=net), policy.backbone.sha256)


def test_what_it_says_reaches_control_and_the_record(rig: Rig) -> None:
    rig.publish(risk=critic(rig, 0.25, 0.5))
    rig.run(1)
    rig.start()
    rig.run(3)
    chunk = rig.chunks.read()
    assert (risk_of(chunk), risk_threshold_of(chunk)) == (pytest.approx(0.25), 0.5)
    step = steps_of(rig.recorded())[0]
    assert step.risk == pytest.approx(0.25)
    assert (step.risk_taken, step.risk_threshold) == (None, 0.5)


def test_without_a_threshold_it_warns(rig: Rig) -> None:
    rig.publish(risk=critic(rig, 0.9, None))
    rig.run(1)
    rig.start()
    rig.run(3)
    assert risk_threshold_of(rig.chunks.read()) is None
    step = steps_of(rig.recorded())[0]
    assert step.risk == pytest.approx(0.9)
    assert step.risk_threshold is None


def test_a_version_without_one_is_not_judged(rig: Rig) -> None:
    rig.publish()
    rig.run(1)
    rig.start()
    rig.run(3)
    assert float(rig.chunks.read()["risk"]) == NO_CRITIC
    assert steps_of(rig.recorded())[0].risk is None


def test_one_that_does_not_fit_is_refused_in_words_and_the_robot_goes_on(rig: Rig) -> None:
    rig.publish(risk=critic(rig, 0.1, None, columns=9))
    rig.run(2)
    assert rig.version == 0
    assert "9 columns of an action, and this policy has" in " ".join(rig.said.sentences)


def test_above_the_threshold_the_record_says_what_was_sent_instead(rig: Rig) -> None:
    rig.publish(risk=critic(rig, 0.75, 0.5))
    rig.run(1)
    rig.start()
    rig.run(3)
    assert risk_of(rig.chunks.read()) == pytest.approx(0.75)
    step = steps_of(rig.recorded())[0]
    assert step.risk_choice == "none_safe"
    assert step.risk_taken is None, "of actions that are all as risky its own was taken"


def test_the_critics_own_threshold_is_recorded_beside_the_stricter_one_of_the_task(
    tmp_path: Path, seed: int
) -> None:
    rig = Rig(tmp_path, seed, max_steps=20, risk=RiskSection(width=WIDTH, threshold=0.125))
    rig.publish(risk=critic(rig, 0.0625, 0.5))
    rig.run(1)
    rig.start()
    rig.run(3)
    step = steps_of(rig.recorded())[0]
    assert (step.risk_threshold, step.risk_calibrated) == (0.125, 0.5)
    rig.outbox.close()


def test_one_that_only_warns_records_its_threshold_and_holds_nothing_back(
    tmp_path: Path, seed: int
) -> None:
    rig = Rig(tmp_path, seed, max_steps=20, risk=RiskSection(width=WIDTH, acts=False))
    rig.publish(risk=critic(rig, 0.75, 0.5))
    rig.run(1)
    rig.start()
    rig.run(3)
    assert risk_threshold_of(rig.chunks.read()) is None
    step = steps_of(rig.recorded())[0]
    assert (step.risk_threshold, step.risk_choice) == (0.5, None)
    rig.outbox.close()


@pytest.mark.parametrize(("risk", "told"), [(0.75, [RiskEvent.OVERRIDE]), (0.25, [])])
def test_a_person_who_drives_on_above_the_threshold_is_counted_once(
    rig: Rig, risk: float, told: list[RiskEvent]
) -> None:
    rig.publish(risk=critic(rig, risk, 0.5))
    rig.run(1)
    rig.start()
    rig.run(2)
    rig.takes_over(uuid4())
    rig.run(4)
    events = of(SafetyEvent, rig.recorded())
    assert [event.code for event in events] == told
    assert int(rig.episode.read()["risk_overrides"]) == len(told)
    assert all("0.75 of that motion, and 0.50 is allowed" in event.cause for event in events)
