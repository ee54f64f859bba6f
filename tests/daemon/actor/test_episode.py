"""The episode machine alone: how episodes end, who labels them, and what a reset goes through."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from robot_rl.daemon.actor import episode as episodes
from robot_rl.daemon.actor import episode_events as events
from robot_rl.daemon.actor.episode import EpisodeState, Rules
from robot_rl.daemon.actor.episode_events import Plan
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.live.telemetry import EpisodeStage
from robot_rl.schema.message import new_id

SIMULATED = Rules(
    max_steps=3,
    reward_source="simulator",
    ends_after_intervention=False,
    confirm=True,
    simulated=True,
)
REAL = Rules(
    max_steps=3,
    reward_source="operator",
    ends_after_intervention=True,
    confirm=True,
    simulated=False,
)


CLASSIFIED = replace(REAL, reward_source="classifier", max_steps=6, consecutive=2)


def plan(seed: int = 0, purpose: Purpose = Purpose.TRAINING) -> Plan:
    return Plan(episode_id=new_id(), purpose=purpose, seed=seed, policy_version=None)


def started(rules: Rules, purpose: Purpose = Purpose.TRAINING) -> EpisodeState:
    state, effects = episodes.step(
        EpisodeState(placed_seed=0),
        events.StartRequested(plan=plan(purpose=purpose), refusal=None),
        rules,
    )
    assert isinstance(effects[0], events.Begin)
    return state


def kinds(effects: tuple[object, ...]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def test_success_seen_by_the_simulator_ends_the_episode_as_its_success():
    state = started(SIMULATED)
    state, effects = episodes.step(state, events.Observed(index=1, success=True), SIMULATED)
    assert kinds(effects) == ["StopMotion"]
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.labeller) == (Outcome.SUCCESS, "simulator")
    assert state.ending.terminated
    state, effects = episodes.step(state, events.Recorded(), SIMULATED)
    assert kinds(effects) == ["Conclude", "DriveHome"]
    assert state.stage is EpisodeStage.RESETTING


def test_success_in_the_very_first_observation_is_not_the_robots_doing():
    state, effects = episodes.step(
        started(SIMULATED), events.Observed(index=0, success=True), SIMULATED
    )
    assert not effects
    assert state.success_seen


@pytest.mark.parametrize(
    ("rules", "outcome", "stage"),
    [
        (SIMULATED, Outcome.FAILURE, EpisodeStage.RESETTING),
        (REAL, None, EpisodeStage.AWAIT_LABEL),
    ],
)
def test_the_step_limit_truncates(rules, outcome, stage):
    state, _ = episodes.step(started(rules), events.Observed(index=3, success=False), rules)
    assert state.ending is not None
    assert not state.ending.terminated
    assert state.ending.outcome is outcome
    state, _ = episodes.step(state, events.Recorded(), rules)
    assert state.stage is stage


def test_a_label_given_late_keeps_how_the_episode_ended():
    state, _ = episodes.step(started(REAL), events.Observed(index=3, success=None), REAL)
    state, _ = episodes.step(state, events.Recorded(), REAL)
    label = events.Labelled(
        outcome=Outcome.SUCCESS, by="ada", failure_class=None, note="", refusal=None
    )
    state, effects = episodes.step(state, label, REAL)
    assert kinds(effects) == ["Conclude", "DriveHome"]
    concluded = effects[0]
    assert isinstance(concluded, events.Conclude)
    assert (concluded.ending.outcome, concluded.ending.labeller) == (Outcome.SUCCESS, "ada")
    assert not concluded.ending.terminated


@pytest.mark.parametrize(
    ("outcome", "terminated"),
    [(Outcome.SUCCESS, True), (Outcome.FAILURE, True), (Outcome.ABORTED, False)],
)
def test_a_label_ends_a_running_episode(outcome, terminated):
    label = events.Labelled(outcome=outcome, by="ada", failure_class=None, note="", refusal=None)
    state, effects = episodes.step(started(SIMULATED), label, SIMULATED)
    assert kinds(effects) == ["StopMotion"]
    assert state.ending is not None
    assert state.ending.terminated is terminated
    again, effects = episodes.step(state, label, SIMULATED)
    assert again == state
    assert kinds(effects) == ["RequestRefused"]


def test_a_task_may_end_the_episode_with_the_intervention():
    released = events.InterventionFinished(released=True)
    _state, effects = episodes.step(started(REAL), released, REAL)
    assert kinds(effects) == ["StopMotion"]
    _, effects = episodes.step(started(SIMULATED), released, SIMULATED)
    assert not effects


def test_after_a_stop_nothing_moves_until_a_person_asks():
    state, effects = episodes.step(
        started(SIMULATED), events.RobotHalted(cause="Stopped by ada."), SIMULATED
    )
    state, effects = episodes.step(state, events.Recorded(), SIMULATED)
    assert kinds(effects) == ["Conclude"]
    assert state.stage is EpisodeStage.READY
    _, effects = episodes.step(state, events.StartRequested(plan=plan(), refusal=None), SIMULATED)
    assert kinds(effects) == ["RequestRefused"]


def test_a_simulated_reset_goes_home_places_and_goes_to_the_start():
    state = EpisodeState(placed_seed=0)
    state, effects = episodes.step(state, events.ResetRequested(seed=9, refusal=None), SIMULATED)
    assert kinds(effects) == ["DriveHome"]
    state, _ = episodes.step(state, events.ReachedHome(), SIMULATED)
    assert state.stage is EpisodeStage.CONFIRM_RESET
    state, effects = episodes.step(state, events.ResetConfirmed(by="ada", refusal=None), SIMULATED)
    assert effects == (events.PlaceObjects(seed=9),)
    state, effects = episodes.step(state, events.ScenePlaced(seed=9), SIMULATED)
    assert effects == (events.DriveHome(to_start=True),)
    state, _ = episodes.step(state, events.ReachedHome(), SIMULATED)
    assert (state.stage, state.placed_seed) == (EpisodeStage.READY, 9)
    _, effects = episodes.step(
        state, events.StartRequested(plan=plan(seed=8), refusal=None), SIMULATED
    )
    assert kinds(effects) == ["RequestRefused"]


class Lives(RuleBasedStateMachine):
    """Any order of events: one conclusion per episode, and never motion after a stop unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.state = EpisodeState(placed_seed=0)
        self.begun = self.concluded = 0

    def _happen(self, event: events.Event) -> None:
        before = self.state
        self.state, effects = episodes.step(before, event, SIMULATED)
        for effect in effects:
            match effect:
                case events.Begin():
                    self.begun += 1
                    assert before.stage is EpisodeStage.READY
                case events.Conclude():
                    self.concluded += 1
                    assert effect.ending.outcome is not None
                case events.RequestRefused(reason=reason):
                    assert self.state == before
                    assert reason.endswith(".")
                case events.DriveHome():
                    assert self.state.stage is EpisodeStage.RESETTING
                case _:
                    pass

    @rule(seed=st.integers(0, 1), refusal=st.sampled_from([None, "No."]))
    def start(self, seed, refusal):
        self._happen(events.StartRequested(plan=plan(seed), refusal=refusal))

    @rule(index=st.integers(0, 3), success=st.booleans())
    def observe(self, index, success):
        self._happen(events.Observed(index=index, success=success))

    @rule(outcome=st.sampled_from(Outcome), refusal=st.sampled_from([None, "No."]))
    def label(self, outcome, refusal):
        self._happen(
            events.Labelled(outcome=outcome, by="ada", failure_class=None, note="", refusal=refusal)
        )

    @rule(
        event=st.sampled_from(
            [
                events.StepDone(human=True),
                events.InterventionStarted(),
                events.InterventionFinished(released=True),
                events.RobotHalted(cause="A fault."),
                events.PolicySilent(cause="It did not answer."),
                events.Recorded(),
                events.ReachedHome(),
                events.MissedHome(why="In the way."),
                events.ResetConfirmed(by="ada", refusal=None),
                events.ScenePlaced(seed=0),
                events.ResetRequested(seed=0, refusal=None),
            ]
        )
    )
    def other(self, event):
        self._happen(event)

    @invariant()
    def one_conclusion_per_episode(self):
        running = self.state.stage in (EpisodeStage.RUNNING, EpisodeStage.AWAIT_LABEL)
        assert self.begun - self.concluded == running

    @invariant()
    def steps_only_of_people_or_policy(self):
        assert self.state.human_steps <= self.state.steps


TestLives = Lives.TestCase


def test_a_simulator_that_gives_up_ends_the_episode_as_a_failure_that_is_no_time_limit():
    running = started(SIMULATED)
    state, _ = episodes.step(
        running, events.Observed(index=2, success=False, failed=True), SIMULATED
    )
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.labeller) == (Outcome.FAILURE, "simulator")
    assert state.ending.terminated
    before, _ = episodes.step(
        running, events.Observed(index=0, success=False, failed=True), SIMULATED
    )
    assert before.ending is None, "before the first action it is not the robot's doing"


def test_a_time_limit_of_the_simulator_truncates():
    state, _ = episodes.step(
        started(SIMULATED), events.Observed(index=2, success=False, truncated=True), SIMULATED
    )
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.terminated) == (Outcome.FAILURE, False)


# ---- the success classifier ---------------------------------------------------------------------


def looked(state: EpisodeState, rules: Rules, *said: bool, first: int = 0) -> EpisodeState:
    """Observations one after the other, each with what the classifier says of it."""
    for index, done in enumerate(said, start=first):
        state, _ = episodes.step(state, events.Observed(index=index, success=None), rules)
        state, _ = episodes.step(state, events.Classified(index=index, done=done), rules)
    return state


def test_two_in_a_row_end_the_episode_where_its_word_is_the_reward():
    state = looked(started(CLASSIFIED), CLASSIFIED, False, True, False, True)
    assert state.ending is None
    state = looked(state, CLASSIFIED, True, first=4)
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.labeller) == (Outcome.SUCCESS, "classifier")
    assert state.ending.terminated
    state, effects = episodes.step(state, events.Recorded(), CLASSIFIED)
    assert kinds(effects) == ["Conclude", "DriveHome"], "nobody is waited for"
    assert isinstance(effects[0], events.Conclude)
    assert effects[0].classifier_success is True


def test_an_observation_that_nobody_saw_breaks_the_row():
    state = looked(started(CLASSIFIED), CLASSIFIED, False, True)
    state, _ = episodes.step(state, events.Observed(index=2, success=None), CLASSIFIED)
    assert looked(state, CLASSIFIED, True, first=3).ending is None


def test_with_the_operators_reward_it_is_evidence_only():
    rules = replace(CLASSIFIED, reward_source="operator")
    state = looked(started(rules), rules, False, True, True)
    assert state.ending is None
    assert state.success_seen
    state, _ = episodes.step(state, LABELLED_FAILURE, rules)
    state, effects = episodes.step(state, events.Recorded(), rules)
    assert isinstance(effects[0], events.Conclude)
    assert effects[0].ending.labeller == "ada"
    assert effects[0].classifier_success is True, "and the disagreement is told"


def test_the_limit_is_a_failure_unless_its_last_observation_says_otherwise():
    for last, outcome in ((False, Outcome.FAILURE), (True, Outcome.SUCCESS)):
        state = looked(started(CLASSIFIED), CLASSIFIED, False, False, False, False, False, True)
        state = looked(state, CLASSIFIED, last, first=6)
        assert state.ending is not None
        assert (state.ending.outcome, state.ending.labeller) == (outcome, "classifier")
        assert state.ending.terminated is last


def test_a_person_outweighs_it():
    state = looked(started(CLASSIFIED), CLASSIFIED, False, True)
    state, _ = episodes.step(state, LABELLED_FAILURE, CLASSIFIED)
    state = looked(state, CLASSIFIED, True, True, first=2)
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.labeller) == (Outcome.FAILURE, "ada")
    state = looked(started(CLASSIFIED), CLASSIFIED, False, True, True)
    state, effects = episodes.step(state, LABELLED_FAILURE, CLASSIFIED)
    assert not effects, "before it is told for good"
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.labeller) == (Outcome.FAILURE, "ada")


def test_an_evaluation_is_not_judged_by_what_the_policy_learned_from():
    state = looked(started(CLASSIFIED, Purpose.EVALUATION), CLASSIFIED, False, True, True, True)
    assert state.ending is None
    assert state.success_seen, "evidence it is"
    state = looked(state, CLASSIFIED, False, False, False, first=4)
    assert state.ending is not None
    assert state.ending.outcome is None, "at the limit a person says so too"
    state, effects = episodes.step(state, events.Recorded(), CLASSIFIED)
    assert (state.stage, effects) == (EpisodeStage.AWAIT_LABEL, ())
    state, effects = episodes.step(state, LABELLED_FAILURE, CLASSIFIED)
    assert isinstance(effects[0], events.Conclude)
    assert effects[0].ending.labeller == "ada"
    assert effects[0].classifier_success is True


LABELLED_FAILURE = events.Labelled(
    outcome=Outcome.FAILURE, by="ada", failure_class=None, note="", refusal=None
)
