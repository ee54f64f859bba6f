"""The episode machine: READY → RUNNING → AWAIT_LABEL → RESETTING → CONFIRM_RESET → READY. Pure.

`step(state, event, rules) -> (state, effects)`. An ending is decided first (`state.ending`), then
the last observation is recorded, and only then does the machine move on: an episode of N actions
has N + 1 records.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from robot_rl.daemon.actor.episode_events import (
    Begin,
    Classified,
    Conclude,
    DaemonEnds,
    DriveHome,
    Effect,
    Ending,
    Event,
    InterventionFinished,
    InterventionStarted,
    Labelled,
    MissedHome,
    Observed,
    PlaceObjects,
    Plan,
    PolicySilent,
    ReachedHome,
    Recorded,
    RequestRefused,
    ResetConfirmed,
    ResetFailed,
    ResetRequested,
    RobotHalted,
    ScenePlaced,
    SceneReady,
    StartRequested,
    StepDone,
    StopMotion,
)
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.live.telemetry import EpisodeStage
from robot_rl.schema.transition import CLASSIFIER, RewardSource

SIMULATOR, ROBOT = "simulator", "robot"


class ResetLeg(StrEnum):
    """Where a reset stands while the stage is RESETTING."""

    HOME = "home"  # the arm drives to the task's start pose
    PLACE = "place"  # simulation: the objects are being placed
    START = "start"  # simulation: the arm drives to this seed's start pose


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the task says about its episodes. `consecutive`: observations in a row of which the
    success classifier says that the task is done, until that counts; None: there is no classifier.
    """

    max_steps: int
    reward_source: RewardSource
    ends_after_intervention: bool
    confirm: bool
    simulated: bool
    consecutive: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeState:
    """`placed_seed` None: the scene and the arm are not known to be at a start state."""

    stage: EpisodeStage = EpisodeStage.READY
    number: int = 0
    plan: Plan | None = None
    steps: int = 0
    human_steps: int = 0
    interventions: int = 0
    success_seen: bool = False
    called_done: int = 0  # observations in a row, by the classifier, up to the one judged last
    judged_index: int = -1  # the one judged last
    classifier_success: bool = False
    ending: Ending | None = None
    placed_seed: int | None = None
    next_seed: int = 0
    reset_leg: ResetLeg | None = None
    reset_by: str = ""  # who confirmed the reset that is under way
    stays: bool = False  # nothing drives home when this episode is concluded: a person has to ask
    ends: bool = False  # the daemon is being ended: nothing new begins


type Result = tuple[EpisodeState, tuple[Effect, ...]]


def step(state: EpisodeState, event: Event, rules: Rules) -> Result:
    """The whole machine. A refused request leaves the state as it is and says why."""
    match event:
        case StartRequested():
            return _start(state, event, rules)
        case Observed():
            return _observe(state, event, rules)
        case Classified():
            return _classified(state, event, rules)
        case StepDone() if state.stage is EpisodeStage.RUNNING:
            human = state.human_steps + event.human
            return replace(state, steps=state.steps + 1, human_steps=human), ()
        case InterventionStarted() if state.stage is EpisodeStage.RUNNING:
            return replace(state, interventions=state.interventions + 1), ()
        case InterventionFinished() if event.released and rules.ends_after_intervention:
            cause = "The task ends an episode after an intervention."
            return _end(state, _unjudged(cause, state, rules))
        case Labelled():
            return _label(state, event)
        case RobotHalted() | PolicySilent():
            return _halt(state, event.cause)
        case DaemonEnds():
            return _close(replace(state, ends=True), event.cause)
        case Recorded():
            return _recorded(state)
        case ResetRequested():
            return _reset(state, event)
        case ReachedHome() if state.stage is EpisodeStage.RESETTING:
            return _home(state, rules)
        case MissedHome():
            after, _ = _missed(state)
            return after, (() if after is state else (ResetFailed(why=event.why),))
        case ResetConfirmed():
            return _confirm(state, event, rules)
        case ScenePlaced() if state.reset_leg is ResetLeg.PLACE:
            after = replace(state, placed_seed=event.seed, reset_leg=ResetLeg.START)
            return after, (DriveHome(to_start=True),)
        case _:
            return state, ()


def _refuse(state: EpisodeState, reason: str) -> Result:
    return state, (RequestRefused(reason=reason),)


def _start(state: EpisodeState, event: StartRequested, rules: Rules) -> Result:
    if state.stage is not EpisodeStage.READY:
        return _refuse(state, f"An episode starts from ready; now it is {_doing(state)}.")
    if event.refusal is not None:
        return _refuse(state, event.refusal)
    plan = event.plan
    if rules.simulated and state.placed_seed != plan.seed:
        if state.placed_seed is None:
            return _refuse(
                state, "The scene has not been reset since the last episode; begin the reset."
            )
        return _refuse(
            state,
            f"The scene was placed by seed {state.placed_seed}, not {plan.seed}; "
            f"begin a reset with seed {plan.seed}.",
        )
    after = EpisodeState(
        stage=EpisodeStage.RUNNING,
        number=state.number + 1,
        plan=plan,
        next_seed=state.next_seed,
    )
    return after, (Begin(plan=plan),)


def _observe(state: EpisodeState, event: Observed, rules: Rules) -> Result:
    if state.stage is not EpisodeStage.RUNNING or state.ending is not None:
        return state, ()
    if event.success:
        state = replace(state, success_seen=True)
        if rules.reward_source == SIMULATOR and event.index > 0:
            return _end(
                state,
                Ending(
                    outcome=Outcome.SUCCESS,
                    cause="The task is done.",
                    labeller=SIMULATOR,
                    terminated=True,
                ),
            )
    if event.failed and rules.reward_source == SIMULATOR and event.index > 0:
        ending = _unjudged("The simulator says that it has failed.", state, rules)
        return _end(state, replace(ending, terminated=True))
    if event.truncated and event.index > 0:
        return _end(state, _unjudged("The simulator's own time limit was reached.", state, rules))
    if event.index >= rules.max_steps:
        cause = f"The limit of {rules.max_steps} steps was reached."
        return _end(state, _unjudged(cause, state, rules))
    return state, ()


def _classified(state: EpisodeState, event: Classified, rules: Rules) -> Result:
    """Enough of them in a row are a success, which ends the episode where its word counts; also in
    the very observation in which the episode came to its limit.
    """
    if state.stage is not EpisodeStage.RUNNING or rules.consecutive is None:
        return state, ()
    follows = event.index == state.judged_index + 1
    called = (state.called_done if follows else 0) + 1 if event.done else 0
    state = replace(state, called_done=called, judged_index=event.index)
    if called < rules.consecutive or event.index == 0:
        return state, ()
    state = replace(state, success_seen=True, classifier_success=True)
    if _judge(state, rules) != CLASSIFIER:
        return state, ()
    done = Ending(
        outcome=Outcome.SUCCESS,
        cause="The task is done, by what the classifier sees.",
        labeller=CLASSIFIER,
        terminated=True,
    )
    if state.ending is not None and state.ending.labeller == CLASSIFIER:
        return replace(state, ending=done), ()
    return _end(state, done)


def _judge(state: EpisodeState, rules: Rules) -> RewardSource:
    """Whose word on success counts in this episode. A policy that was trained to please a
    classifier is not measured by it: of an evaluation a person says.
    """
    measures = state.plan is not None and state.plan.purpose is Purpose.EVALUATION
    return "operator" if rules.reward_source == CLASSIFIER and measures else rules.reward_source


def _unjudged(cause: str, state: EpisodeState, rules: Rules) -> Ending:
    """An ending without success: a failure where nobody has to say so, else a person says."""
    judge = _judge(state, rules)
    known = judge in (SIMULATOR, CLASSIFIER)
    return Ending(
        outcome=Outcome.FAILURE if known else None,
        cause=cause,
        labeller=judge if known else "",
        terminated=False,
    )


def _end(state: EpisodeState, ending: Ending) -> Result:
    if state.stage is not EpisodeStage.RUNNING or state.ending is not None:
        return state, ()
    return replace(state, ending=ending), (StopMotion(reason=ending.cause),)


def _label(state: EpisodeState, event: Labelled) -> Result:
    label = Ending(
        outcome=event.outcome,
        cause=f"Labelled {event.outcome} by {event.by}.",
        labeller=event.by,
        terminated=event.outcome is not Outcome.ABORTED,
        failure_class=event.failure_class,
        note=event.note,
    )
    ending = state.ending
    heard = replace(state, stays=state.stays or event.refusal is not None)
    if state.stage is EpisodeStage.RUNNING and ending is None:
        return _end(heard, label)
    # The person is the authority: what the classifier said stands until it is told for good.
    waits = ending is not None and (ending.outcome is None or ending.labeller == CLASSIFIER)
    if ending is not None and waits and state.stage is EpisodeStage.RUNNING:
        return replace(heard, ending=_named(ending, label)), ()
    if ending is not None and waits and state.stage is EpisodeStage.AWAIT_LABEL:
        return _conclude(replace(heard, ending=_named(ending, label)))
    if ending is not None and state.stage is EpisodeStage.RUNNING:
        return _refuse(state, f"The episode has ended already as {ending.outcome}.")
    return _refuse(state, "There is no episode to label now; past ones are relabelled in review.")


def _named(ending: Ending, label: Ending) -> Ending:
    """The label of an episode that ended by itself: how it ended stays as it was recorded."""
    return replace(label, cause=ending.cause, terminated=ending.terminated)


def _halt(state: EpisodeState, cause: str) -> Result:
    match state.stage:
        case EpisodeStage.RUNNING | EpisodeStage.AWAIT_LABEL if state.ending is not None:
            return replace(state, stays=True), ()
        case EpisodeStage.RUNNING:
            return _end(
                state,
                Ending(outcome=Outcome.ABORTED, cause=cause, labeller=ROBOT, terminated=False),
            )
        case EpisodeStage.RESETTING:
            return _missed(state)
        case _:
            return state, ()


def _close(state: EpisodeState, cause: str) -> Result:
    """As a halt; and an episode that nobody labelled yet is aborted, to be relabelled in review."""
    ending = state.ending
    if ending is None or ending.outcome is not None:
        return _halt(state, cause)
    unlabelled = replace(
        ending, outcome=Outcome.ABORTED, labeller=ROBOT, cause=f"{ending.cause} {cause}"
    )
    state = replace(state, ending=unlabelled)
    return _conclude(state) if state.stage is EpisodeStage.AWAIT_LABEL else (state, ())


def _recorded(state: EpisodeState) -> Result:
    if state.stage is not EpisodeStage.RUNNING or state.ending is None:
        return state, ()
    if state.ending.outcome is None:
        return replace(state, stage=EpisodeStage.AWAIT_LABEL), ()
    return _conclude(state)


def _conclude(state: EpisodeState) -> Result:
    """The outcome is known. Nothing moves until a person asks for it after a stop or a fault, and
    after a label that came too late, or from somebody who may not move the robot.
    """
    plan, ending = state.plan, state.ending
    assert plan is not None
    assert ending is not None
    told = Conclude(
        plan=plan,
        ending=ending,
        steps=state.steps,
        human_steps=state.human_steps,
        classifier_success=state.classifier_success if state.judged_index >= 0 else None,
    )
    stays = ending.labeller == ROBOT or state.stays or state.ends
    state = replace(state, stays=False)
    if stays:
        return replace(state, stage=EpisodeStage.READY, placed_seed=None), (told,)
    after = replace(state, stage=EpisodeStage.RESETTING, reset_leg=ResetLeg.HOME, placed_seed=None)
    return after, (told, DriveHome(to_start=False))


def _reset(state: EpisodeState, event: ResetRequested) -> Result:
    if state.stage in (EpisodeStage.RUNNING, EpisodeStage.AWAIT_LABEL):
        return _refuse(state, f"A reset begins after the episode; now it is {_doing(state)}.")
    if event.refusal is not None:
        return _refuse(state, event.refusal)
    seed = state.next_seed if event.seed is None else event.seed
    state = replace(state, next_seed=seed)
    if state.stage is EpisodeStage.RESETTING:
        return state, ()
    after = replace(state, stage=EpisodeStage.RESETTING, reset_leg=ResetLeg.HOME, placed_seed=None)
    return after, (DriveHome(to_start=False),)


def _home(state: EpisodeState, rules: Rules) -> Result:
    match state.reset_leg:
        case ResetLeg.START:
            assert state.placed_seed is not None
            return _ready(state, state.placed_seed)
        case ResetLeg.HOME if rules.confirm:
            return replace(state, stage=EpisodeStage.CONFIRM_RESET, reset_leg=None), ()
        case ResetLeg.HOME:
            by = SIMULATOR if rules.simulated else ROBOT
            return _place(replace(state, reset_by=by), rules)
        case _:
            return state, ()


def _ready(state: EpisodeState, seed: int) -> Result:
    after = replace(state, stage=EpisodeStage.READY, reset_leg=None, placed_seed=seed)
    return after, (SceneReady(seed=seed, by=state.reset_by),)


def _missed(state: EpisodeState) -> Result:
    """The arm did not come home: ready in name only, a new reset has to be asked for."""
    if state.stage is not EpisodeStage.RESETTING:
        return state, ()
    return replace(state, stage=EpisodeStage.READY, reset_leg=None, placed_seed=None), ()


def _confirm(state: EpisodeState, event: ResetConfirmed, rules: Rules) -> Result:
    if state.stage is not EpisodeStage.CONFIRM_RESET:
        return _refuse(state, f"There is no reset to confirm; now it is {_doing(state)}.")
    if event.refusal is not None:
        return _refuse(state, event.refusal)
    return _place(replace(state, reset_by=event.by), rules)


def _place(state: EpisodeState, rules: Rules) -> Result:
    """The scene is ready, or in simulation gets ready now."""
    if not rules.simulated:
        return _ready(state, state.next_seed)
    after = replace(state, stage=EpisodeStage.RESETTING, reset_leg=ResetLeg.PLACE)
    return after, (PlaceObjects(seed=state.next_seed),)


def _doing(state: EpisodeState) -> str:
    return {
        EpisodeStage.READY: "ready",
        EpisodeStage.RUNNING: "running",
        EpisodeStage.AWAIT_LABEL: "waiting for a label",
        EpisodeStage.RESETTING: "resetting",
        EpisodeStage.CONFIRM_RESET: "waiting for the reset to be confirmed",
    }[state.stage]
