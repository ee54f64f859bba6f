"""The lease: one holder, transfer at rest, freshness by the robot's own clock."""

import pytest

from safety.lease import (
    COMMAND_AGE_NS,
    MS,
    REQUEST_AGE_NS,
    TRANSFER_TIMEOUT_NS,
    Admission,
    Answer,
    Asked,
    Audited,
    Denied,
    GiveUp,
    Granted,
    HoldForTransfer,
    LeaseEnded,
    LeaseRequest,
    LeaseState,
    Suspended,
    Tick,
    Transfer,
    admit,
    silent,
    speed_share,
    step,
    timely,
)

HELD = LeaseState(holder="ada", epoch=3, heard_ns=0)
REST, MOVING = Tick(at_rest=True), Tick(at_rest=False)


def asked(by: str = "bob", now_ns: int = 0) -> LeaseState:
    return step(HELD, LeaseRequest(by=by), now_ns)[0]


def heard(state: LeaseState, now_ns: int) -> LeaseState:
    after, admission = admit(
        state,
        by=state.holder or "",
        epoch=state.epoch,
        sequence=state.sequence + 1,
        echoed_ns=now_ns,
        now_ns=now_ns,
    )
    assert admission is Admission.ACCEPTED
    return after


def test_a_free_lease_is_granted_at_once() -> None:
    after, effects = step(LeaseState(), LeaseRequest(by="ada"), 5)
    assert (after.holder, after.epoch, after.heard_ns) == ("ada", 1, 5)
    assert effects == (Granted(to="ada", epoch=1),)
    assert step(LeaseState(), MOVING, 5) == (LeaseState(), ())


def test_asking_for_ones_own_lease_changes_nothing() -> None:
    assert step(HELD, LeaseRequest(by="ada"), 5) == (HELD, (Granted(to="ada", epoch=3),))


def test_a_held_lease_is_asked_for() -> None:
    after, effects = step(HELD, LeaseRequest(by="bob"), 5)
    assert after.holder == "ada"
    assert effects == (Asked(by="bob", holder="ada", deadline_ns=5 + TRANSFER_TIMEOUT_NS),)
    assert step(after, LeaseRequest(by="bob"), 9) == (
        after,
        (),
    )  # The time-out is not started anew.
    same, effects = step(after, LeaseRequest(by="eve"), 9)
    assert same is after
    assert effects == (Denied(to="eve", reason="eve has to wait: bob has asked already."),)


def test_consent_transfers_only_at_rest() -> None:
    agreed, effects = step(asked(), Answer(by="ada", consent=True), 1)
    assert effects == (HoldForTransfer(),)
    agreed = heard(agreed, 10)
    moving, effects = step(agreed, MOVING, 20)
    assert (moving.holder, effects) == ("ada", (HoldForTransfer(),))
    after, effects = step(moving, REST, 30)
    assert (after.holder, after.epoch, after.pending) == ("bob", 4, None)
    assert effects == (
        LeaseEnded(holder="ada", cause="transfer by consent"),
        Granted(to="bob", epoch=4),
    )


def test_the_holder_may_keep_the_lease() -> None:
    after, effects = step(asked(), Answer(by="ada", consent=False), 1)
    assert after == HELD
    assert effects == (Denied(to="bob", reason="ada keeps the lease."),)


def test_who_does_not_answer_consents() -> None:
    state = asked()
    before, effects = step(heard(state, TRANSFER_TIMEOUT_NS - 1), MOVING, TRANSFER_TIMEOUT_NS - 1)
    assert effects == ()
    timed_out, effects = step(before, MOVING, TRANSFER_TIMEOUT_NS)
    assert effects == (HoldForTransfer(),)
    assert timed_out.pending is not None
    assert timed_out.pending.transfer is Transfer.TIME_OUT
    # Told until it rests: whatever began to move meanwhile is held as well.
    assert step(timed_out, MOVING, TRANSFER_TIMEOUT_NS + 1) == (timed_out, (HoldForTransfer(),))
    assert step(timed_out, REST, TRANSFER_TIMEOUT_NS + 2)[0].holder == "bob"


def test_a_supervisor_pre_empts_and_is_audited() -> None:
    after, effects = step(asked(), LeaseRequest(by="sam", supervisor=True), 1)
    assert effects == (
        Audited(text="sam pre-empted the lease of ada as supervisor."),
        HoldForTransfer(),
    )
    assert step(after, LeaseRequest(by="sam", supervisor=True), 2) == (after, ())
    _, effects = step(after, Answer(by="ada", consent=False), 2)
    assert effects == (Denied(to="ada", reason="ada cannot answer: the transfer is decided."),)
    assert step(after, MOVING, 3)[0].holder == "ada"
    assert step(after, REST, 3)[0].holder == "sam"


@pytest.mark.parametrize("by", ["bob", "eve"])
def test_only_the_holder_answers(by: str) -> None:
    state = asked()
    after, effects = step(state, Answer(by=by, consent=True), 1)
    assert after is state
    assert effects == (Denied(to=by, reason=f"{by} has no request to answer."),)
    assert step(HELD, Answer(by="ada", consent=True), 1)[0] is HELD


def test_giving_up_and_withdrawing() -> None:
    after, effects = step(HELD, GiveUp(by="ada"), 1)
    assert (after.holder, after.epoch) == (None, 4)
    assert effects == (LeaseEnded(holder="ada", cause="given up"),)
    after, effects = step(asked(), GiveUp(by="bob"), 1)
    assert (after, effects) == (HELD, ())
    for state in (HELD, asked()):
        after, effects = step(state, GiveUp(by="eve"), 1)
        assert after is state
        assert isinstance(effects[0], Denied)


def test_whoever_waits_gets_a_lease_that_ended_at_rest() -> None:
    free, _ = step(asked(), GiveUp(by="ada"), 1)
    assert step(free, MOVING, 2) == (free, ())
    _, effects = step(free, LeaseRequest(by="eve"), 2)
    assert isinstance(effects[0], Denied)
    after, effects = step(free, REST, 3)
    assert after.holder == "bob"
    assert effects == (Granted(to="bob", epoch=5),)


def test_a_decided_transfer_still_holds_the_arm_when_its_holder_is_gone() -> None:
    agreed, _ = step(asked(), Answer(by="ada", consent=True), 1)
    for ended in (step(agreed, GiveUp(by="ada"), 2)[0], step(agreed, MOVING, 3000 * MS)[0]):
        assert ended.holder is None
        assert step(ended, MOVING, 3001 * MS) == (ended, (HoldForTransfer(),))
        assert step(ended, REST, 3002 * MS)[0].holder == "bob"


@pytest.mark.parametrize(
    ("silence_ms", "suspended", "ended"),
    [(500, False, False), (501, True, False), (2000, True, False), (2001, False, True)],
)
def test_silence_suspends_then_ends(silence_ms: int, suspended: bool, ended: bool) -> None:
    after, effects = step(HELD, MOVING, silence_ms * MS)
    assert after.suspended == suspended
    assert (after.holder is None) == ended
    expected = (Suspended(holder="ada"),) if suspended else ()
    assert effects == ((LeaseEnded(holder="ada", cause="silent for 2 s"),) if ended else expected)


def test_suspension_is_told_once_and_ends_when_heard_again() -> None:
    suspended, _ = step(HELD, MOVING, 600 * MS)
    assert step(suspended, MOVING, 700 * MS) == (suspended, ())
    assert not heard(suspended, 800 * MS).suspended


@pytest.mark.parametrize(
    ("silence_ms", "expected"), [(0, False), (100, False), (101, True), (900, True)]
)
def test_silence_zeroes_the_input(silence_ms: int, expected: bool) -> None:
    assert silent(HELD, silence_ms * MS) is expected
    assert silent(LeaseState(), 0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Admission.ACCEPTED),
        ({"by": "bob"}, Admission.NOT_HOLDER),
        ({"epoch": 2}, Admission.OLD_EPOCH),
        ({"sequence": 4}, Admission.OUT_OF_ORDER),
        ({"sequence": 3}, Admission.OUT_OF_ORDER),
        ({"echoed_ns": 10**9 + 1}, Admission.FROM_THE_FUTURE),
        ({"echoed_ns": 10**9 - COMMAND_AGE_NS}, Admission.ACCEPTED),
        ({"echoed_ns": 10**9 - COMMAND_AGE_NS - 1}, Admission.TOO_OLD),
    ],
)
def test_admission(change: dict[str, object], expected: Admission) -> None:
    state = LeaseState(holder="ada", epoch=3, heard_ns=5, sequence=4)
    message = {"by": "ada", "epoch": 3, "sequence": 5, "echoed_ns": 10**9, **change}
    after, found = admit(state, now_ns=10**9, **message)  # type: ignore[arg-type]
    assert found is expected
    if expected is Admission.ACCEPTED:
        assert (after.heard_ns, after.sequence) == (10**9, 5)
    else:
        assert after is state


@pytest.mark.parametrize(
    ("age_s", "share"),
    [
        (0.0, 1.0),
        (0.1, 1.0),
        (0.1001, 0.5),
        (0.2, 0.5),
        (0.2001, 0.25),
        (0.3, 0.25),
        (0.3001, 0.0),
        (float("inf"), 0.0),
        (float("nan"), 0.0),
        (-1.0, 0.0),
    ],
)
def test_the_age_of_a_command_decides_its_speed(age_s: float, share: float) -> None:
    assert speed_share(age_s) == share


@pytest.mark.parametrize("sign", [1, -1])
def test_a_request_is_timely_up_to_its_age(sign: int) -> None:
    now_ns = 10 * REQUEST_AGE_NS
    assert timely(now_ns, now_ns)
    assert timely(now_ns - sign * REQUEST_AGE_NS, now_ns)
    assert not timely(now_ns - sign * (REQUEST_AGE_NS + 1), now_ns)
