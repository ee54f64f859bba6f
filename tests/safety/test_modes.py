"""The mode machine, by table: what each event does in each mode."""

from dataclasses import replace

import pytest

from safety.faults import FaultCode
from safety.modes import (
    Changed,
    ClearRequested,
    DecayReference,
    DropChunk,
    Event,
    EventRefused,
    Finish,
    HoldStill,
    Latch,
    LeaseLost,
    LeaseSuspended,
    MarkCorrection,
    ModeState,
    PauseRequested,
    PersistLatch,
    RaiseFault,
    Release,
    ResetBegun,
    ResetDone,
    ResumeRequested,
    RewindBegun,
    StartAutonomy,
    StopRequested,
    TakeOver,
    initial,
    step,
)
from safety.vocabulary import Mode, Phase

STATES = {
    Mode.IDLE: ModeState(epoch=7),
    Mode.AUTONOMOUS: ModeState(mode=Mode.AUTONOMOUS, epoch=7),
    Mode.TAKEOVER: ModeState(
        mode=Mode.TAKEOVER, epoch=7, phase=Phase.RECOVERY, holder="ada", device="spacemouse"
    ),
    Mode.PAUSED: ModeState(mode=Mode.PAUSED, epoch=7, cause="Paused by ada."),
    Mode.RESETTING: ModeState(mode=Mode.RESETTING, epoch=7),
    Mode.REWINDING: ModeState(mode=Mode.REWINDING, epoch=7, cause="Asked for by ada."),
    Mode.STOPPED: ModeState(mode=Mode.STOPPED, epoch=7, stopped_by="ada"),
    Mode.FAULT: ModeState(mode=Mode.FAULT, epoch=7, cause="The arm is gone."),
}
TAKE = TakeOver(holder="ada", device="spacemouse", has_lease=True, dead_man=True, round_trip_s=0.05)
EVENTS: dict[str, Event] = {
    "start": StartAutonomy(by="ada"),
    "take": TAKE,
    "resume episode": Release(holder="ada", resume=True),
    "end episode": Release(holder="ada", resume=False),
    "pause": PauseRequested(by="ada"),
    "resume": ResumeRequested(by="ada"),
    "reset": ResetBegun(by="ada"),
    "done": ResetDone(),
    "rewind": RewindBegun(by="ada", cause="Asked for by ada."),
    "stop": StopRequested(by="ada"),
    "clear": ClearRequested(by="ada", cause=None),
    "fault": RaiseFault(fault=FaultCode.ARM_SILENT, cause="A camera is gone."),
    "finish": Finish(cause="The episode is over."),
    "suspended": LeaseSuspended(),
    "lost": LeaseLost(),
}
# Where each event leads, by mode; not named: refused or without effect, and the mode stays.
LEADS: dict[Mode, dict[str, Mode]] = {
    Mode.IDLE: {"start": Mode.AUTONOMOUS, "take": Mode.TAKEOVER, "reset": Mode.RESETTING},
    Mode.AUTONOMOUS: {
        "take": Mode.TAKEOVER,
        "pause": Mode.PAUSED,
        "reset": Mode.RESETTING,
        "rewind": Mode.REWINDING,
        "finish": Mode.IDLE,
    },
    Mode.TAKEOVER: {
        "resume episode": Mode.AUTONOMOUS,
        "end episode": Mode.IDLE,
        "rewind": Mode.REWINDING,
        "finish": Mode.IDLE,
        "pause": Mode.PAUSED,
        "suspended": Mode.PAUSED,
        "lost": Mode.PAUSED,
    },
    Mode.PAUSED: {
        "take": Mode.TAKEOVER,
        "resume": Mode.AUTONOMOUS,
        "reset": Mode.RESETTING,
        "rewind": Mode.REWINDING,
        "finish": Mode.IDLE,
    },
    Mode.RESETTING: {
        "take": Mode.TAKEOVER,
        "pause": Mode.PAUSED,
        "done": Mode.IDLE,
        "finish": Mode.IDLE,
    },
    # Not to autonomy: a person resumes once it is paused.
    Mode.REWINDING: {"take": Mode.TAKEOVER, "pause": Mode.PAUSED, "finish": Mode.IDLE},
    Mode.STOPPED: {"clear": Mode.IDLE, "fault": Mode.STOPPED},
    Mode.FAULT: {"clear": Mode.IDLE},
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", EVENTS)
def test_every_event_in_every_mode(mode: Mode, name: str) -> None:
    before = STATES[mode]
    after, effects = step(before, EVENTS[name], 5)
    everywhere = {"stop": Mode.STOPPED, "fault": Mode.FAULT}
    expected = {**everywhere, **LEADS[mode]}.get(name, mode)
    assert after.mode is expected
    if expected is mode:
        assert after.epoch == before.epoch
        # Nothing is done but to say no, or to keep the cause of a fault that came in a stop.
        kept = PersistLatch if name == "fault" else EventRefused
        assert all(isinstance(e, kept) for e in effects)
        return
    assert after.epoch == before.epoch + 1
    assert after.since_ns == 5
    assert effects[:2] == (Changed(before=mode, after=expected, epoch=8), DropChunk())
    assert (HoldStill() in effects) != (DecayReference() in effects)
    assert (DecayReference() in effects) == (expected is Mode.TAKEOVER)
    assert (after.holder is not None) == (expected is Mode.TAKEOVER)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"has_lease": False}, "needs the lease"),
        ({"dead_man": False}, "needs the dead-man"),
        ({"round_trip_s": 0.3001}, "round trip is 300 ms"),
        ({"round_trip_s": float("nan")}, "round trip is not known yet"),
        ({"round_trip_s": float("inf")}, "round trip is not known yet"),
    ],
)
def test_takeover_is_refused_with_the_reason(change: dict[str, object], sentence: str) -> None:
    after, effects = step(STATES[Mode.AUTONOMOUS], replace(TAKE, **change), 1)
    assert after is STATES[Mode.AUTONOMOUS]
    (refused,) = effects
    assert isinstance(refused, EventRefused)
    assert sentence in refused.reason


def test_takeover_at_exactly_the_allowed_round_trip() -> None:
    after, _ = step(STATES[Mode.AUTONOMOUS], replace(TAKE, round_trip_s=0.3), 1)
    assert (after.mode, after.phase) == (Mode.TAKEOVER, Phase.RECOVERY)
    assert (after.holder, after.device) == ("ada", "spacemouse")


def test_only_the_driver_releases_marks_and_stays() -> None:
    driving = STATES[Mode.TAKEOVER]
    for event in (Release(holder="bob", resume=True), MarkCorrection(holder="bob")):
        after, effects = step(driving, event, 1)
        assert after is driving
        assert effects == (EventRefused(reason="ada is driving, not bob."),)
    after, effects = step(driving, replace(TAKE, holder="bob"), 1)
    assert after is driving
    assert effects == (EventRefused(reason="ada is driving; ask for the lease."),)
    assert step(driving, TAKE, 1) == (driving, ())


def test_correction_is_marked_without_a_new_epoch() -> None:
    after, effects = step(STATES[Mode.TAKEOVER], MarkCorrection(holder="ada"), 1)
    assert after == replace(STATES[Mode.TAKEOVER], phase=Phase.CORRECTION)
    assert effects == ()
    _, effects = step(STATES[Mode.PAUSED], MarkCorrection(holder="ada"), 1)
    assert effects == (EventRefused(reason="Nobody is driving; the robot is paused."),)


def test_while_a_person_drives_nobody_else_and_no_alarm_begins_a_rewind() -> None:
    driving = STATES[Mode.TAKEOVER]
    for by in ("bob", "control"):
        after, effects = step(driving, RewindBegun(by=by, cause="An alarm."), 1)
        assert after is driving
        assert effects == (EventRefused(reason="ada is driving; only ada may rewind."),)


def test_a_rewind_says_why_it_began() -> None:
    after, _ = step(STATES[Mode.AUTONOMOUS], RewindBegun(by="control", cause="An alarm."), 1)
    assert after.cause == "An alarm."


@pytest.mark.parametrize("mode", [Mode.STOPPED, Mode.FAULT])
def test_clearing_is_refused_while_the_cause_persists(mode: Mode) -> None:
    after, effects = step(
        STATES[mode], ClearRequested(by="bob", cause="The arm reports a reflex."), 1
    )
    assert after is STATES[mode]
    (refused,) = effects
    assert isinstance(refused, EventRefused)
    assert "The arm reports a reflex." in refused.reason


def test_a_stop_is_persisted_and_so_is_its_clearing() -> None:
    after, effects = step(STATES[Mode.AUTONOMOUS], StopRequested(by="bob"), 1)
    assert PersistLatch(latch=Latch(stopped_by="bob")) in effects
    assert after.stopped_by == "bob"
    again, effects = step(after, StopRequested(by="eve"), 2)
    assert (again, effects) == (after, ())
    _, effects = step(after, StartAutonomy(by="bob"), 3)
    assert effects == (EventRefused(reason="The robot was stopped by bob. Clear it first."),)
    cleared, effects = step(after, ClearRequested(by="ada", cause=None), 4)
    assert PersistLatch(latch=Latch()) in effects
    assert cleared.stopped_by is None


def test_a_fault_is_persisted_and_a_stop_over_it_keeps_it() -> None:
    fault, effects = step(
        STATES[Mode.TAKEOVER], RaiseFault(fault=FaultCode.ARM_SILENT, cause="The arm is gone."), 1
    )
    latch = Latch(cause="The arm is gone.", fault=FaultCode.ARM_SILENT)
    assert PersistLatch(latch=latch) in effects
    _, effects = step(fault, StopRequested(by="bob"), 2)
    assert PersistLatch(latch=replace(latch, stopped_by="bob")) in effects
    cleared, effects = step(fault, ClearRequested(by="ada", cause=None), 3)
    assert cleared.cause is None
    assert PersistLatch(latch=Latch()) in effects


def test_a_stop_forgets_why_the_robot_was_paused() -> None:
    stopped, _ = step(STATES[Mode.PAUSED], StopRequested(by="bob"), 1)
    assert stopped.cause is None


def test_a_stop_over_a_fault_keeps_the_cause_and_a_fault_the_first() -> None:
    stopped, _ = step(STATES[Mode.FAULT], StopRequested(by="ada"), 1)
    assert (stopped.mode, stopped.cause) == (Mode.STOPPED, "The arm is gone.")
    again, nothing = step(
        STATES[Mode.FAULT], RaiseFault(fault=FaultCode.ARM_SILENT, cause="And the camera."), 1
    )
    assert (again.cause, nothing) == ("The arm is gone.", ())
    later, kept = step(
        STATES[Mode.STOPPED], RaiseFault(fault=FaultCode.ARM_SILENT, cause="The arm is gone."), 1
    )
    assert (later.mode, later.cause) == (Mode.STOPPED, "The arm is gone.")
    latch = Latch(stopped_by="ada", cause="The arm is gone.", fault=FaultCode.ARM_SILENT)
    assert kept == (PersistLatch(latch=latch),)
    _, effects = step(STATES[Mode.FAULT], TAKE, 1)
    assert effects == (
        EventRefused(reason="The robot has a fault: The arm is gone. Clear it first."),
    )


def test_start_up_is_idle_or_still_latched() -> None:
    assert initial(3, epoch=9, latch=Latch()).mode is Mode.IDLE
    latch = Latch(cause="The arm is gone.", fault=FaultCode.ARM_SILENT)
    fault = initial(3, epoch=9, latch=latch)
    assert (fault.mode, fault.cause) == (Mode.FAULT, "The arm is gone.")
    assert fault.fault is FaultCode.ARM_SILENT
    both = initial(3, epoch=9, latch=Latch(stopped_by="ada", cause="The arm is gone."))
    assert (both.mode, both.cause) == (Mode.STOPPED, "The arm is gone.")
    stopped = initial(3, epoch=9, latch=Latch(stopped_by="ada"))
    assert (stopped.mode, stopped.epoch, stopped.stopped_by) == (Mode.STOPPED, 9, "ada")
