"""Limit profiles in control: who switches them, what they do to the gate, what is recorded."""

from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.config.limit_profile import ChosenBy
from robot_rl.daemon import messages
from robot_rl.daemon.actor.record import text_of
from robot_rl.daemon.control.pressed_profiles import pressed_writer, read_pressed, write_pressed
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.limits import arm_limits, selectable_profiles
from robot_rl.schema.live.client_message import AcquireLease, SetLimitProfile, Takeover
from tests.daemon.control.stand import ControlStand

BOB = UUID(int=2)
DRIVE = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def switch(stand: ControlStand, profile: str = "fragile", *, on: bool = True) -> str:
    """The refusal, or nothing."""
    answer = stand.answer(stand.ask(SetLimitProfile, profile=profile, on=on))
    assert answer is not None
    assert answer.accepted is (answer.reason == "")
    return answer.reason


def active(stand: ControlStand) -> str:
    return text_of(stand.status["limit_profiles"])


def limits(stand: ControlStand):
    return stand.controller.channels[0].gate.limits


def chosen_by(by: ChosenBy) -> ControlStand:
    """A stand whose task chose `fragile`."""
    wanted = control_settings(load_cell("simulation"), load_task("lift_cube"))
    first, *others = wanted.profiles
    return ControlStand(profiles=(replace(first, chosen_by=by), *others))


def test_a_button_needs_no_lease_and_tightens_at_once() -> None:
    stand = ControlStand()
    assert limits(stand).speed_m_s == 0.5
    assert switch(stand) == ""
    assert active(stand) == "fragile"
    assert limits(stand).speed_m_s == 0.15
    assert float(stand.status["speed_limit"]) == 0.15
    assert np.array_equal(limits(stand).clip_m, np.full((2, 3), 0.005))
    assert limits(stand).jerk_m_s3 == 800.0, "what it does not state stays"


def test_the_strictest_of_several_counts_and_each_goes_alone() -> None:
    stand = ControlStand()
    stand.ask(AcquireLease)
    switch(stand, "hot")
    switch(stand, "fragile")
    switch(stand, "person_near")
    assert active(stand) == "fragile hot person_near"
    assert (limits(stand).speed_m_s, limits(stand).jerk_m_s3) == (0.1, 40.0)
    assert limits(stand).clip_m.max() == 0.005
    switch(stand, "person_near", on=False)
    assert (limits(stand).speed_m_s, limits(stand).jerk_m_s3) == (0.15, 40.0)
    switch(stand, "fragile", on=False)
    switch(stand, "hot", on=False)
    assert active(stand) == ""
    assert limits(stand).speed_m_s == 0.5


def test_switching_off_needs_the_lease() -> None:
    stand = ControlStand()
    switch(stand)
    assert switch(stand, on=False) == (
        "Switching a limit profile off needs the lease; take it first."
    )
    stand.ask(AcquireLease)
    stand.client = BOB
    assert switch(stand, on=False) == (
        "ada holds the lease; only ada may switch a limit profile off."
    )
    assert active(stand) == "fragile"
    assert switch(stand, "hot") == "", "anybody may switch one on"


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (ChosenBy.TASK, "The task chose the limit profile 'Fragile object': it stays on."),
        (ChosenBy.INSTRUCTION, "Words of the instruction chose the limit profile 'Fragile object'"),
    ],
)
def test_what_the_task_chose_stays_on(by: ChosenBy, said: str) -> None:
    stand = chosen_by(by)
    assert active(stand) == "fragile"
    assert limits(stand).speed_m_s == 0.15, "from the first tick on"
    stand.ask(AcquireLease)
    assert switch(stand, on=False).startswith(said)
    assert switch(stand).endswith("is on already.")
    assert limits(stand).speed_m_s == 0.15


def test_what_is_not_there_or_changes_nothing_is_refused() -> None:
    stand = ControlStand()
    assert switch(stand, "wet") == (
        "There is no limit profile 'wet'; this robot has: fragile, hot, person_near."
    )
    assert switch(stand, on=False) == "The limit profile 'Fragile object' is off already."
    assert switch(stand) == ""
    assert switch(stand) == "The limit profile 'Fragile object' is on already."
    nothing = ControlStand(profiles=())
    assert switch(nothing) == "There is no limit profile 'fragile'; this robot has: none."


def test_an_old_request_still_tightens_and_never_loosens() -> None:
    stand = ControlStand()
    stand.run(20_000)
    stand.tick(SetLimitProfile(request_id=UUID(int=7), profile="fragile", on=True))
    assert active(stand) == "fragile"
    stand.ask(AcquireLease)
    stand.tick(SetLimitProfile(request_id=UUID(int=8), profile="fragile", on=False))
    assert active(stand) == "fragile"
    late = stand.answer(UUID(int=8))
    assert late is not None
    assert "was not carried out" in late.reason


def test_while_a_person_drives_fast_it_slows_down_without_a_jump() -> None:
    stand = ControlStand()
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=False)
    stand.ask(Takeover, device="keyboard")
    gate = stand.controller.channels[0].gate
    before: list[float] = []
    for tick in range(120):
        stand.drive(dead_man=True, axes=DRIVE)
        stand.measure(position_m=gate.position_m.copy())
        if tick == 59:
            assert gate.velocity[1] > 0.2
            assert switch(stand) == ""
        before.append(float(gate.velocity[1]))
    assert all(b <= a + 1e-9 for a, b in pairwise(before[59:]))
    assert before[-1] == pytest.approx(0.15 / 3**0.5)


def test_each_press_is_told_with_who_pressed() -> None:
    stand = ControlStand()
    stand.ask(AcquireLease)
    told: list[messages.LimitProfileChanged] = []
    for on in (True, True, False):
        stand.tick(SetLimitProfile(request_id=UUID(int=9), echo_t_ns=stand.now_ns,
                                   profile="person_near", on=on))  # fmt: skip
        assert stand.last is not None
        events = stand.last.out.events
        told += [each for each in events if isinstance(each, messages.LimitProfileChanged)]
    assert [(each.by, each.text) for each in told] == [
        (
            "ada",
            "ada switched the limit profile 'Person near' on: speed at most 0.1 m/s, force at rest "
            "at most 12 N.",
        ),
        ("ada", "ada switched the limit profile 'Person near' off."),
    ]


def test_steps_say_which_were_active() -> None:
    stand = ControlStand()
    results = []
    for tick in range(100):
        requests = []
        if tick in (30, 50):
            kind = {30: "fragile", 50: "hot"}[tick]
            requests = [SetLimitProfile(request_id=UUID(int=tick), profile=kind, on=True)]
        results += stand.tick(*requests).step_results
    names = [text_of(each["limit_profiles"]) for each in results]
    # Windows of 20 ticks from 50 ms on: the press in a window counts for it.
    assert names[0] == ""
    assert names[-1] == "fragile hot"
    assert "fragile" in names
    assert names == sorted(names, key=len)


def test_a_restart_loosens_nothing(tmp_path) -> None:
    file = tmp_path / "limit_profiles.json"
    assert read_pressed(file, ["fragile"]) == {}
    stand = ControlStand()
    stand.tick(SetLimitProfile(request_id=UUID(int=9), profile="fragile", on=True))
    assert stand.last is not None
    (kept,) = stand.last.out.pressed
    write_pressed(file, kept)
    wanted = control_settings(load_cell("simulation"), load_task("lift_cube"))
    again = ControlStand(pressed=read_pressed(file, [p.name for p in wanted.profiles]))
    assert active(again) == "fragile"
    assert limits(again).speed_m_s == 0.15


@pytest.mark.parametrize("content", ["", "[]", '"fragile"', "{"])
def test_a_file_that_cannot_be_read_counts_as_all_of_them(tmp_path, content: str) -> None:
    file = tmp_path / "limit_profiles.json"
    file.write_text(content)
    assert read_pressed(file, ["fragile", "hot"]) == {"fragile": "control", "hot": "control"}


def test_a_profile_that_the_cell_has_no_more_is_forgotten() -> None:
    assert active(ControlStand(pressed={"wet": "ada", "hot": "ada"})) == "hot"


def test_a_disk_that_refuses_is_said(tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    writer = pressed_writer(tmp_path / "file" / "limit_profiles.json", at_once=True)
    writer.put({"fragile": "ada"})
    writer.close()
    assert "would not survive a restart" in capsys.readouterr().err


def test_what_they_do_to_the_limits_of_a_task() -> None:
    cell, task = load_cell("simulation"), load_task("insert_peg")
    said = {p.name: (p.speed_m_s, p.force_n) for p in selectable_profiles(cell, task)}
    assert said == {
        "fragile": (0.15, pytest.approx(10.0)),
        "hot": (0.25, None),
        "person_near": (0.1, pytest.approx(12.0)),
    }
    assert arm_limits(cell, task, "arm").bounds.force_n.max() == pytest.approx(15.0)


def test_the_clip_in_the_command_follows() -> None:
    """The arm's own law takes the smaller of its clip and the command's."""
    stand = ControlStand()
    stand.run(50)
    switch(stand)
    clips = []
    for _ in range(30):
        stand.tick()
        assert stand.last is not None
        clips.append(float(stand.last.commands[0].clip_m.max()))
    assert clips == sorted(clips, reverse=True)
    assert clips[0] > 0.019
    assert clips[-1] == 0.005
