"""Vetoes, their clearing and overrides, from made-up steps."""

from uuid import UUID, uuid4

from robot_rl.daemon.actor.record import Acted
from robot_rl.daemon.actor.risk_watch import RiskWatch
from robot_rl.policy.shield import RiskJudgement, Vector
from robot_rl.schema.episode import RiskEvent
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import Step
from safety.vocabulary import Source
from tests.server.recordings import Recording


def judgement(risk: float, threshold: float | None, *, acts: bool = True) -> RiskJudgement:
    """Of a critic to which the risk of an action is its first column."""

    def of_action(action: Vector) -> float:
        return float(action[0])

    return RiskJudgement(
        own=risk,
        taken=risk,
        choice=None,
        threshold=threshold,
        calibrated=threshold,
        acts=acts,
        critic=1,
        judging_s=0.001,
        of_action=of_action,
    )


def acted(
    source: Source,
    *,
    reject: str = "",
    risk: float = 0.1,
    threshold: float | None = 0.5,
    intervention: UUID | None = None,
    acts: bool = True,
    judged: bool = True,
) -> Acted:
    recording = Recording()
    episode = recording.start()
    recording.step(
        episode,
        0,
        executed_action=(risk, *(0.0,) * 6),
        source=source,
        reject_reason=reject,
        operator="ada" if source is Source.HUMAN else None,
    )
    record = recording.rows[-1]
    assert isinstance(record, RecordedStep)
    assert isinstance(record.step, Step)
    return Acted(
        index=0,
        human=source is Source.HUMAN,
        correction=False,
        intervention_id=intervention,
        reject=reject,
        record=record,
        judged=judgement(risk, threshold, acts=acts) if judged else None,
    )


HELD = acted(Source.HOLD, reject="risk", risk=0.8)
MOVED = acted(Source.POLICY)
WAITED = acted(Source.HOLD)


def codes(watch: RiskWatch, *steps: Acted) -> list[RiskEvent]:
    return [news.code for step in steps for news in watch.look(step)]


def test_a_hold_counts_once_until_the_policy_moves_again() -> None:
    watch = RiskWatch()
    assert codes(watch, MOVED, HELD, HELD, WAITED, HELD) == [RiskEvent.VETO]
    assert codes(watch, MOVED, HELD) == [RiskEvent.VETO]
    assert (watch.vetoes, watch.cleared, watch.overrides) == (2, 0, 0)
    (news,) = RiskWatch().look(HELD)
    assert news.by == "critic"
    assert "0.80, and 0.50 is allowed" in news.cause


def test_a_person_who_takes_over_from_a_hold_clears_it() -> None:
    watch = RiskWatch()
    drives = acted(Source.HUMAN, risk=0.2, intervention=uuid4())
    assert codes(watch, HELD, drives, drives) == [RiskEvent.VETO, RiskEvent.CLEARED]
    assert codes(watch, drives, HELD) == [RiskEvent.VETO], "a new one, after the person"
    assert (watch.vetoes, watch.cleared, watch.overrides) == (2, 1, 0)


def test_a_person_who_does_what_it_would_hold_back_overrides_it_once() -> None:
    watch = RiskWatch()
    one, other = uuid4(), uuid4()
    safe = acted(Source.HUMAN, risk=0.4, intervention=one)
    risky = acted(Source.HUMAN, risk=0.6, intervention=one)
    assert codes(watch, MOVED, safe, risky, risky) == [RiskEvent.OVERRIDE]
    assert codes(watch, acted(Source.HUMAN, risk=0.6, intervention=other)) == [RiskEvent.OVERRIDE]
    assert (watch.vetoes, watch.overrides) == (0, 2)


def test_without_a_threshold_nothing_is_overridden() -> None:
    watch = RiskWatch()
    drives = acted(Source.HUMAN, risk=0.9, threshold=None, intervention=uuid4())
    assert codes(watch, drives) == []


def test_one_that_only_warns_is_not_overridden() -> None:
    watch = RiskWatch()
    drives = acted(Source.HUMAN, risk=0.9, acts=False, intervention=uuid4())
    assert codes(watch, drives) == [], "it would have held nothing back"
    assert watch.overrides == 0


def test_a_hold_that_no_critic_judged_is_not_told_as_its_word() -> None:
    (news,) = RiskWatch().look(acted(Source.HOLD, reject="risk", judged=False))
    assert (news.code, news.by) == (RiskEvent.VETO, "gate")
    assert news.cause.startswith("The robot held: no risk critic judged the action")
