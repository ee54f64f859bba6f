"""Control and the risk critic: what it holds back, what it marks as unsafe, what it tells."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from hardware.memory import Record
from robot_rl.config import load_cell, load_task
from robot_rl.config.risk import RiskSection
from robot_rl.daemon import topics
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.link.telemetry import RISK_SHOWN_NS, Snapshot, risk_status
from robot_rl.schema.live.telemetry import RiskStatus
from safety.vocabulary import Limit
from tests.daemon.control.stand import MS, ControlStand
from tests.daemon.control.test_commanded import STEP_NS, offered

AHEAD = (0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def judged(stand: ControlStand, number: int, risk: float, threshold: float) -> Record:
    chunk = cast(Any, offered(stand, AHEAD, number)).copy()
    chunk["risk"], chunk["risk_threshold"] = risk, threshold
    return cast(Record, chunk[()])


def drive(
    risk: float, threshold: float, steps: int = 4, **settings: Any
) -> tuple[list[bytes], Limit]:
    """Sources of the windows in autonomy, and all limits that acted."""
    stand = ControlStand(**settings)
    stand.begin_autonomy()
    sources: list[bytes] = []
    limits = Limit.NONE
    for number in range(1, steps + 1):
        results = stand.tick(chunk=judged(stand, number, risk, threshold)).step_results
        for _ in range(STEP_NS // (5 * MS) - 1):
            results += stand.tick().step_results
            limits |= stand.controller.limits
        sources += [bytes(each["source"]) for each in results]
    return sources, limits


@pytest.mark.parametrize(
    ("risk", "threshold", "moves"),
    [
        (0.4, 0.5, True),
        (0.6, 0.5, False),
        (0.6, topics.NO_CRITIC, True),  # not calibrated
        (topics.NO_CRITIC, 0.5, True),  # none was asked
        (np.nan, 0.5, False),
        (0.4, np.nan, False),
    ],
)
def test_above_the_threshold_the_robot_holds(risk: float, threshold: float, moves: bool) -> None:
    sources, limits = drive(risk, threshold)
    assert (b"policy" in sources) is moves
    assert (Limit.RISK in limits) is not moves


@pytest.mark.parametrize(
    ("section", "risk", "moves"),
    [
        (RiskSection(), topics.NO_CRITIC, True),
        (RiskSection(threshold=0.5), topics.NO_CRITIC, True),  # where none is required
        (RiskSection(threshold=0.5), 0.6, False),  # before the critic has a threshold of its own
        (RiskSection(threshold=0.5, required=True), topics.NO_CRITIC, False),
        (RiskSection(threshold=0.5, required=True), 0.4, True),
    ],
)
def test_a_task_says_what_it_allows_and_whether_a_critic_must_judge(
    section: RiskSection, risk: float, moves: bool
) -> None:
    task = load_task("lift_cube").model_copy(update={"risk": section})
    gate = control_settings(load_cell("simulation"), task).gate
    assert (gate.risk_threshold, gate.risk_required) == (section.threshold, section.required)
    sources, limits = drive(risk, topics.NO_CRITIC, gate=gate)
    assert (b"policy" in sources) is moves
    assert (Limit.RISK in limits) is not moves


@pytest.mark.parametrize(("force_n", "marked"), [(None, False), (12.0, True), (14.0, False)])
def test_a_contact_force_beyond_what_the_task_calls_safe_is_marked(
    force_n: float | None, marked: bool
) -> None:
    section = None if force_n is None else RiskSection(force_n=force_n)
    task = load_task("lift_cube").model_copy(update={"risk": section})
    stand = ControlStand(arms=control_settings(load_cell("simulation"), task).arms)
    stand.measure(wrench=np.array([3.0, 4.0, 12.0, 99.0, 0.0, 0.0]))  # 13 N
    stand.tick()
    assert (Limit.FORCE in stand.controller.limits) is marked


def test_people_are_told_what_the_newest_decision_risks() -> None:
    stand = ControlStand()
    chunk = judged(stand, 1, 0.25, topics.NO_CRITIC)
    nothing = cast(Any, None)
    episode = np.zeros((), topics.EPISODE)
    episode["risk_vetoes"], episode["risk_overrides"] = 2, 1
    seen = Snapshot(
        now_ns=int(chunk["observation_ns"]),
        control=nothing,
        episode=cast(Record, episode[()]),
        outbox=nothing,
        arms={},
        chunk=chunk,
        local=None,
        frame_age_ms={},
        real_time_factor=1.0,
    )
    assert risk_status(seen, held=False) == RiskStatus(
        risk=0.25, threshold=None, held=False, vetoes=2, overrides=1
    )
    held = replace(seen, chunk=judged(stand, 1, 0.75, 0.5))
    assert risk_status(held, held=True) == RiskStatus(
        risk=0.75, threshold=0.5, held=True, vetoes=2, overrides=1
    )
    assert risk_status(replace(seen, now_ns=seen.now_ns + RISK_SHOWN_NS + 1), held=False) is None
    assert risk_status(replace(seen, chunk=None), held=False) is None
    unjudged = judged(stand, 1, topics.NO_CRITIC, topics.NO_CRITIC)
    assert risk_status(replace(seen, chunk=unjudged), held=False) is None
