"""What the robot accepts in every state that a person can meet, and where it leads.

Built with the real machines of control and actor, without processes. The console's tests read the
table (`operator_ui/src/live/robot_answers.json`): its buttons must lead on from every state.
`python -m tests.daemon.answers` writes it anew.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import numpy as np

from robot_rl.config import load_task
from robot_rl.daemon import messages
from robot_rl.daemon.actor import episode, episode_events
from robot_rl.daemon.actor.episode import EpisodeState, ResetLeg, Rules
from robot_rl.daemon.actor.refusals import Refusals
from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority, Running
from robot_rl.daemon.control.takeover import OngoingIntervention
from robot_rl.daemon.control.trail import TcpPose
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.live.client_message import (
    AcquireLease,
    BeginReset,
    Clear,
    ClientRequest,
    ConfirmReset,
    EndTakeover,
    Label,
    Pause,
    ReleaseLease,
    Resume,
    Rewind,
    StartEpisode,
    Stop,
)
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult
from robot_rl.schema.live.telemetry import EpisodeStage
from robot_rl.schema.message import new_id
from safety.modes import ModeState, PauseRequested
from safety.vocabulary import LATCHED, ONLY_ARM, Mode, Phase

TABLE = Path(__file__).parents[2] / "operator_ui" / "src" / "live" / "robot_answers.json"
US, OTHER = UUID(int=1), UUID(int=2)
NAMES = {US: "ada", OTHER: "bob"}
SEED = 7
RULES = Rules(
    max_steps=100,
    reward_source="operator",
    ends_after_intervention=False,
    confirm=True,
    simulated=True,
)
PLAN = episode_events.Plan(
    episode_id=UUID(int=3), purpose=Purpose.TRAINING, seed=SEED, policy_version=None
)
WAIT = "wait"
"""What comes by itself: a drive ends, or the actor hears that it was interrupted."""
REQUESTS: dict[str, dict[str, Any]] = {
    "acquire_lease": {},
    "release_lease": {},
    "end_takeover": {},
    "start_episode": {},
    "pause": {},
    "resume": {},
    "rewind": {},
    "label": {"outcome": Outcome.FAILURE},
    "begin_reset": {},
    "confirm_reset": {},
    "stop": {},
    "clear": {},
}
KINDS = {
    "acquire_lease": AcquireLease,
    "release_lease": ReleaseLease,
    "end_takeover": EndTakeover,
    "start_episode": StartEpisode,
    "pause": Pause,
    "resume": Resume,
    "rewind": Rewind,
    "label": Label,
    "begin_reset": BeginReset,
    "confirm_reset": ConfirmReset,
    "stop": Stop,
    "clear": Clear,
}


class Robot:
    """Control's authority and the actor's episode machine in one state; the person is ada.

    `home`: the arm is at the start pose of a scene that is placed, or on its way there.
    """

    def __init__(self, stage: EpisodeStage, mode: Mode, holder: UUID | None, home: bool) -> None:
        self.episode = _episode(stage, home)
        self.home, self.now_ns = home, 10**9
        self.control = Authority(_mode(mode, holder), resumes=True)
        for x_m in (0.0, 0.1):  # it has moved
            here = (TcpPose(position_m=np.array([x_m, 0.0, 0.2]), quaternion=np.eye(4)[1]),)
            self.control.rewinding.trail.follow(0, here, moving=True, safe=True)
        if holder is not None:
            self._ask_control(holder, AcquireLease(request_id=new_id()))
        if mode is Mode.TAKEOVER and holder is not None:
            self.control.takeovers.intervention = OngoingIntervention(
                intervention_id=new_id(), client_id=holder, operator=NAMES[holder], device="keys",
                at_robot=False,
            )  # fmt: skip
        running = stage is EpisodeStage.RUNNING
        self.control.running = Running.EPISODE if running else Running.NOTHING
        self.control.drain()

    @property
    def state(self) -> str:
        holder = self.control.lease.client
        lease = {None: "nobody", US: "us", OTHER: "other"}[holder]
        if self.control.lease.asked is not None and self.control.lease.asked.client_id == US:
            lease = "us"  # the holder is asked; without an answer it passes on within 5 s
        place = "home" if self.home else "away"
        return f"{self.episode.stage}/{self.control.mode.mode}/{lease}/{place}"

    def ask(self, kind: str) -> bool:
        """Whether the robot does what ada asks; the state follows."""
        message = KINDS[kind](request_id=new_id(), **REQUESTS[kind])
        match message:
            case StartEpisode():
                refusal = self._refusals.of_motion(_from(US, message)) or self._refusals.of_start()
                accepted = self._step(episode_events.StartRequested(plan=PLAN, refusal=refusal))
            case Label(outcome=outcome):
                accepted = self._step(
                    episode_events.Labelled(
                        outcome=outcome, by="ada", failure_class=None, note="",
                        refusal=self._refusals.of_driving_home(_from(US, message)),
                    )
                )  # fmt: skip
            case BeginReset():
                refusal = self._refusals.of_motion(_from(US, message))
                accepted = self._step(episode_events.ResetRequested(seed=None, refusal=refusal))
            case ConfirmReset():
                refusal = (
                    self._refusals.of_motion(_from(US, message)) or self._refusals.of_confirmation()
                )
                accepted = self._step(episode_events.ResetConfirmed(by="ada", refusal=refusal))
            case _:
                accepted = self._ask_control(US, message)
        self._hear_control()
        return accepted

    def wait(self) -> None:
        """A drive succeeds; one that control no longer carries out is given up."""
        if self.control.mode.mode is Mode.REWINDING:
            self.control.machine.apply(PauseRequested(by="control"), self.now_ns, "control")
        if self.episode.stage is not EpisodeStage.RESETTING:
            return
        if self.control.mode.mode is Mode.RESETTING:
            self.control.home_reached(self.now_ns)
            at_start = self.episode.reset_leg is ResetLeg.START
            self._step(episode_events.ReachedHome())
            self.home = at_start or self.episode.stage is EpisodeStage.CONFIRM_RESET
        else:
            self._miss()

    @property
    def _refusals(self) -> Refusals:
        """The actor's own, with what control and the arm say in this state."""
        task, control = load_task("lift_cube"), self.control
        client = control.lease.client
        home_m = np.array(task.reset.home_position_m)
        position_m = home_m if self.home else home_m + 0.1
        slot = {
            "lease_client": bytes(16) if client is None else client.bytes,
            "lease_holder": control.lease.user.encode(),
            "cause": b"",
        }
        ports = SimpleNamespace(
            control=SimpleNamespace(read=lambda: slot),
            mode=lambda: control.mode.mode,
            not_recording=lambda: None,
        )
        sensors = SimpleNamespace(
            lost=tuple,
            truth=lambda: {"start_position": home_m},
            arms=lambda: {ONLY_ARM: SimpleNamespace(position_m=position_m, not_finite=())},
        )
        return Refusals(task, cast(Any, sensors), cast(Any, ports))

    def _ask_control(self, client: UUID, message: ClientRequest) -> bool:
        condition = ArmCondition()
        self.control.request(_from(client, message), self.now_ns, condition)
        results = self.control.out.results
        answers = [each for each in results if isinstance(each, CommandResult)]
        asked = (
            self.control.lease.asked is not None and self.control.lease.asked.client_id == client
        )
        return asked or bool(answers and answers[-1].accepted)

    def _hear_control(self) -> None:
        """What the actor makes of what control did."""
        for event in self.control.drain().events:
            if isinstance(event, messages.ModeChanged) and event.mode in LATCHED:
                self._step(episode_events.RobotHalted(cause="stopped"))
            if isinstance(event, messages.HomeMissed):
                self._miss()

    def _miss(self) -> None:
        self.home = False
        self._step(episode_events.MissedHome(why="it was interrupted"))

    def _step(self, event: episode_events.Event) -> bool:
        """Whether the episode machine takes the event; its effects are carried out."""
        self.episode, effects = episode.step(self.episode, event, RULES)
        for effect in effects:
            match effect:
                case episode_events.RequestRefused():
                    return False
                case episode_events.Begin():
                    self.home = False
                    self.control.intent(messages.BeginAutonomy(), self.now_ns)
                case episode_events.StopMotion(reason=reason):
                    self.control.intent(messages.EndMotion(reason=reason), self.now_ns)
                case episode_events.Conclude():
                    self.home = False  # its scene is used up: a reset places the next one
                case episode_events.DriveHome(to_start=to_start):
                    self.home = to_start
                    self.control.intent(messages.GoHome(), self.now_ns)
                case episode_events.PlaceObjects(seed=seed):
                    self._step(episode_events.ScenePlaced(seed=seed))
                case _:
                    pass
        if self.episode.stage is EpisodeStage.RUNNING and self.episode.ending is not None:
            self._step(episode_events.Recorded())
        return True


def _from(client: UUID, message: ClientRequest) -> FromClient:
    return FromClient(client_id=client, user=NAMES[client], message=message)


def _mode(mode: Mode, holder: UUID | None) -> ModeState:
    match mode:
        case Mode.TAKEOVER if holder is not None:
            return ModeState(mode=mode, phase=Phase.RECOVERY, holder=NAMES[holder], device="keys")
        case Mode.STOPPED:
            return ModeState(mode=mode, stopped_by="ada")
        case Mode.FAULT:
            return ModeState(mode=mode, cause="The arm reported a reflex.")
        case _:
            return ModeState(mode=mode)


def _episode(stage: EpisodeStage, home: bool) -> EpisodeState:
    state = EpisodeState(stage=stage, number=1, next_seed=SEED, placed_seed=SEED if home else None)
    match stage:
        case EpisodeStage.RUNNING:
            return replace(state, plan=PLAN)
        case EpisodeStage.AWAIT_LABEL:
            ending = episode_events.Ending(
                outcome=None, cause="The limit was reached.", labeller="", terminated=False
            )
            return replace(state, plan=PLAN, ending=ending)
        case EpisodeStage.RESETTING:
            return replace(state, reset_leg=ResetLeg.START if home else ResetLeg.HOME)
        case _:
            return state


def states() -> Iterator[tuple[EpisodeStage, Mode, UUID | None, bool]]:
    """Every one; but nobody drives without the lease."""
    for stage, mode, holder, home in product(EpisodeStage, Mode, (None, US, OTHER), (True, False)):
        if mode is not Mode.TAKEOVER or holder is not None:
            yield stage, mode, holder, home


def build() -> dict[str, dict[str, str]]:
    """State → request that is accepted and changes something → state that follows."""
    table: dict[str, dict[str, str]] = {}
    for where in states():
        before = Robot(*where).state
        found: dict[str, str] = {}
        for kind in REQUESTS:
            robot = Robot(*where)
            if robot.ask(kind) and robot.state != before:
                found[kind] = robot.state
        robot = Robot(*where)
        robot.wait()
        if robot.state != before:
            found[WAIT] = robot.state
        table[before] = found
    return table


def text(table: dict[str, dict[str, str]]) -> str:
    """One state a line, so that a change is easy to read."""
    lines = [f"  {json.dumps(state)}: {json.dumps(found)}" for state, found in table.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    TABLE.write_text(text(build()))
