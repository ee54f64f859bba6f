"""A stand-in for a robot's link, on the real server's real sockets: enough to show a person.

It answers requests by the rules of the live contract, moves where it is driven, sends pictures
that move, and posts each finished episode the way an outbox does. Physics, limits and learning are
not here: the whole system is tried by the tests that start the daemon itself.
"""

import contextlib
import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import simplejpeg
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from robot_rl.schema.episode import Outcome, Provenance, Purpose
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.live.client_message import Drive, Label, StartEpisode
from robot_rl.schema.live.robot_command import ClientGone, FromClient, RobotCommand
from robot_rl.schema.live.robot_message import CommandResult, StopProgress
from robot_rl.schema.live.telemetry import EpisodeStage, LimitProfileStatus
from robot_rl.schema.message import Message, new_id, utc_now
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import FrameStamp, RewardEvidence, Step
from robot_rl.schema.video import VideoFrame, encode_frame
from safety.vocabulary import ONLY_ARM, Mode, Phase, Source
from tests.server.conftest import RunningServer
from tests.server.live_sockets import answer_to, hello, telemetry
from tests.server.recordings import CAMERAS, PROVENANCE, ROBOT, Recording, arm, post

COMMAND: TypeAdapter[RobotCommand] = TypeAdapter(RobotCommand)
EMERGENCY_STOP = "red mushroom, left of the table; switches the arm's power off"
FAILURES = ("missed grasp", "dropped", "pushed away", "stuck", "unsafe")
FREE_REQUESTS = frozenset({"start_episode", "label", "begin_reset", "confirm_reset"})
"""Refused only while somebody else has control."""
PROFILES = {"fragile": "Fragile object", "hot": "Hot contents"}
CHOSEN_PROFILE = "hot"
"""By the task."""
TICK_S = 0.05
TICKS_PER_STEP = 2
MAX_STEPS = 100
METRES_PER_STEP = 0.02
SILENCE_S = 0.5
BRAKING_NS = 84_000_000
START_M = (0.42, 0.0, 0.22)
GRIPPER_M = {-1: 0.0, 1: 0.08}
COLUMNS = ("dx", "dy", "dz", "rx", "ry", "rz", "gripper")


def picture(camera: str, position_m: tuple[float, float, float], tick: int) -> bytes:
    """(120, 160, 3) JPEG: a table, a gripper where the arm is, a mark that moves with time."""
    image = np.full((120, 160, 3), (58, 64, 74) if camera == "front" else (50, 58, 52), np.uint8)
    image[75:] = (122, 102, 82)
    x = int(np.clip(80 + 300 * position_m[1], 6, 150))
    z = int(np.clip(100 - 250 * (position_m[2] - 0.1), 20, 110))
    image[z - 18 : z, x - 5 : x + 5] = (205, 210, 218)
    image[90:100, 92:102] = (200, 40, 40)
    mark = (tick * 3) % 150
    image[2:6, mark : mark + 6] = 255
    return simplejpeg.encode_jpeg(image, quality=85)


@dataclass(slots=True)
class Situation:
    mode: Mode = Mode.IDLE
    cause: str = ""
    stage: EpisodeStage = EpisodeStage.READY
    instructions: str = ""
    source: Source = Source.HOLD
    phase: Phase | None = None
    holder: str | None = None
    holder_id: UUID | None = None
    epoch: int = 0
    asked_by: UUID | None = None
    profiles: set[str] = field(default_factory=set[str])  # limit profiles that are on
    episode_id: UUID | None = None
    purpose: Purpose = Purpose.TRAINING
    number: int = 0
    step: int = 0
    max_steps: int = MAX_STEPS
    human_steps: int = 0
    interventions: int = 0
    intervention_id: UUID | None = None
    device_name: str | None = None  # a device at the robot, whose dead-man is held there
    taken_over_with: str | None = None
    position_m: dict[str, tuple[float, float, float]] = field(default_factory=dict)  # by arm
    gripper_m: dict[str, float] = field(default_factory=dict)  # by arm
    start_refusal: str = ""
    away: bool = False  # from the start pose, while the scene is prepared
    drive: Drive | None = None
    drive_t_s: float = -math.inf
    ranges: list[tuple[UUID, int, int]] = field(default_factory=list)
    corrected: Counter[UUID] = field(default_factory=Counter)  # steps after key C


class StandIn:
    """Runs in two threads until `close`."""

    def __init__(self, server: RunningServer, arms: tuple[str, ...] = (ONLY_ARM,)) -> None:
        self.server = server
        self.arms = arms
        self.now = Situation(
            position_m=dict.fromkeys(arms, START_M), gripper_m=dict.fromkeys(arms, 0.04)
        )
        self.drives = 0
        self._released: dict[UUID, str | None] = {}  # client → arm that it named when it let go
        self._lock = threading.RLock()
        self._recording = Recording()
        self._posted = 0
        self._open = contextlib.ExitStack()
        self._http = self._open.enter_context(server.client("robot", ROBOT))
        bearer = server.bearer("robot", ROBOT)
        self._link, self._video = (
            self._open.enter_context(connect(url, additional_headers=bearer, compression=None))
            for url in (f"{server.live}/robot", f"{server.live}/robot/video")
        )
        self._say(
            hello(
                arms=arms,
                failure_classes=FAILURES,
                emergency_stop=EMERGENCY_STOP,
                lockstep=False,
            )
        )
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._guard, args=(work,)) for work in (self._listen, self._run)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._link.close()
        for thread in self._threads:
            thread.join(10)
        self._open.close()

    def _guard(self, work: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            work()

    def _say(self, message: Message, socket: ClientConnection | None = None) -> None:
        (socket or self._link).send(message.model_dump_json())

    # ---- hearing -----------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._stopping.is_set():
            command = COMMAND.validate_json(self._link.recv())
            with self._lock:
                if isinstance(command, FromClient):
                    self._hear(command)
                elif isinstance(command, ClientGone) and command.client_id == self.now.holder_id:
                    self.now.holder, self.now.holder_id = None, None

    def _hear(self, command: FromClient) -> None:
        message = command.message
        if isinstance(message, Drive):
            if not message.deadman:
                self._released[command.client_id] = message.arm
            if command.client_id == self.now.holder_id:
                self.now.drive, self.now.drive_t_s = message, time.monotonic()
                self.drives += 1
            return
        if message.kind == "ready":
            return
        refusal = self._obey(command, message)
        answer: CommandResult = answer_to(message, command.client_id)
        if refusal:
            answer = answer.model_copy(update={"accepted": False, "reason": refusal})
        self._say(answer)
        if message.kind == "stop":
            self._show_stop(command.user)

    def _obey(self, command: FromClient, message: Any) -> str:
        """Does what is asked; why not, if not."""
        now = self.now
        ours = command.client_id == now.holder_id
        match message.kind:
            case "acquire_lease":
                if now.holder is not None and not ours:
                    now.asked_by = command.client_id
                    return f"{now.holder} has control: ask them to give it up"
                now.holder, now.holder_id = command.user, command.client_id
                now.epoch += 1
            case "release_lease" if command.client_id == now.asked_by:
                now.asked_by = None
            case "release_lease":
                now.holder, now.holder_id = None, None
            case "stop":
                self._go(Mode.STOPPED, Source.HOLD, f"stopped by {command.user}")
            case "clear":
                self._go(Mode.PAUSED if now.stage == "running" else Mode.IDLE, Source.HOLD)
            case "set_limit_profile" if not message.on and not ours:
                return "Switching a limit profile off needs the lease; take it first."
            case "set_limit_profile":
                (now.profiles.add if message.on else now.profiles.discard)(message.profile)
            case kind if not ours and (now.holder is not None or kind not in FREE_REQUESTS):
                return "this needs control of the robot: take control first"
            case "takeover":
                if now.stage is not EpisodeStage.RUNNING:
                    return "no episode is running: start one, then take over"
                if now.mode is Mode.TAKEOVER:
                    return "You are driving already."
                self._go(Mode.TAKEOVER, Source.HUMAN)
                now.taken_over_with = message.device
                now.phase, now.intervention_id = Phase.RECOVERY, new_id()
                now.interventions += 1
                now.drive_t_s = time.monotonic()
                now.ranges.append((now.intervention_id, now.step, now.step))
            case "end_takeover" | "resume":
                self._go(Mode.AUTONOMOUS, Source.POLICY)
            case "mark_phase":
                now.phase = message.phase
            case "pause":
                self._go(Mode.PAUSED, Source.HOLD, f"paused by {command.user}")
            case "rewind":
                self._go(Mode.REWINDING, Source.REWIND, f"Rewinds: asked for by {command.user}.")
            case "start_episode":
                self._start(message)
            case "label":
                self._end(message, command.user)
            case "begin_reset":
                now.away = False
                self._prepare()
            case "confirm_reset" if now.away:
                return "The arm is 100 mm from its start pose; begin the reset first."
            case "confirm_reset":
                now.stage, now.instructions, now.episode_id = EpisodeStage.READY, "", None
                self._go(Mode.IDLE, Source.HOLD)
            case _:
                return f"a stand-in does not know {message.kind}"
        return ""

    def _show_stop(self, by: str) -> None:
        t_ns = time.monotonic_ns()
        progress = StopProgress(by=by, received_t_ns=t_ns, braking_t_ns=t_ns, stopped_t_ns=None)
        self._say(progress)
        self._say(progress.model_copy(update={"stopped_t_ns": t_ns + BRAKING_NS}))

    # ---- doing -------------------------------------------------------------------------------

    def _go(self, mode: Mode, source: Source, cause: str = "") -> None:
        self.now.mode, self.now.source, self.now.cause = mode, source, cause
        if source is not Source.HUMAN:
            self.now.phase = self.now.intervention_id = None

    def _start(self, message: StartEpisode) -> None:
        now = self.now
        now.episode_id = self._recording.start(
            purpose=message.purpose, provenance=self._provenance()
        )
        now.purpose = message.purpose
        now.stage, now.number = EpisodeStage.RUNNING, now.number + 1
        now.step = now.human_steps = now.interventions = 0
        now.ranges = []
        self._go(Mode.AUTONOMOUS, Source.POLICY)

    def _provenance(self) -> Provenance:
        """Of this release when there are several arms; of the first one, without names, if not."""
        if len(self.arms) == 1:
            return PROVENANCE
        columns = " ".join(f"{arm}_{column}" for arm in self.arms for column in COLUMNS)
        identity = DataIdentity(facts={"action.columns": columns})
        return PROVENANCE.model_copy(update={"identity": identity})

    def _end(self, label: Label, by: str) -> None:
        now = self.now
        if now.episode_id is None:
            return
        self._record(now.step, last=True, success=label.outcome is Outcome.SUCCESS)
        for intervention_id, first, last in now.ranges:
            self._recording.intervention(
                now.episode_id,
                first,
                last,
                intervention_id=intervention_id,
                operator=by,
                correction_steps=now.corrected[intervention_id],
            )
        self._recording.end(
            now.episode_id,
            now.step,
            outcome=label.outcome,
            labeller=by,
            human_steps=now.human_steps,
            failure_class=label.failure_class,
            note=label.note,
        )
        self._deliver()
        self._prepare()

    def _prepare(self) -> None:
        self.now.stage = EpisodeStage.CONFIRM_RESET
        self.now.instructions = "Put the cube back on the table, inside the marked area."
        self._go(Mode.IDLE, Source.HOLD)

    def _deliver(self) -> None:
        batch = self._recording.batch(self._posted + 1)
        post(self._http, batch).raise_for_status()
        self._posted = batch.header.last_sequence

    def _record(self, index: int, *, last: bool = False, success: bool | None = None) -> None:
        now, recording = self.now, self._recording
        if now.episode_id is None:
            return
        recording.t_ns += round(1e9 * TICK_S * TICKS_PER_STEP)
        human = now.source is Source.HUMAN and not last
        moving = (0.0, 0.4 * math.sin(index / 6), -0.3, 0.0, 0.0, 0.0, 0.0)
        pushed = (*(now.drive.axes if now.drive else (0.0,) * 6), 0.0)
        still = (0.0,) * len(COLUMNS)
        action = tuple(value for _ in self.arms for value in moving)
        driven = tuple(
            value
            for arm_name in self.arms
            for value in (pushed if arm_name == self._driven() else still)
        )
        step = Step(
            episode_id=now.episode_id,
            index=index,
            t_robot_ns=recording.t_ns,
            t_utc=utc_now(),
            arms={
                name: arm().model_copy(
                    update={
                        "tcp_position_m": now.position_m[name],
                        "wrench": (0, 0, index / (9 + 9 * number), 0, 0, 0),
                    }
                )
                for number, name in enumerate(self.arms)
            },
            frames={c: FrameStamp(number=index, capture_ns=recording.t_ns) for c in CAMERAS},
            proposed_action=None if last else action,
            human_action=driven if human else None,
            executed_action=None if last else driven if human else action,
            source=Source.HOLD if last else now.source,
            phase=now.phase if human else None,
            intervention_id=now.intervention_id if human else None,
            evidence=RewardEvidence(simulator_success=success),
            terminated=last,
            policy_version=None if last or human else 1,
        )
        seen = now.position_m[self.arms[0]]
        images = {camera: picture(camera, seen, index) for camera in CAMERAS}
        recording.rows.append(RecordedStep(step=step, images=images))

    # ---- running -----------------------------------------------------------------------------

    def _run(self) -> None:
        tick = 0
        while not self._stopping.wait(TICK_S):
            tick += 1
            with self._lock:
                self._tick(tick)
                position = self.now.position_m[self.arms[0]]
                self._say(self._telemetry())
            t_ns = time.monotonic_ns()
            for camera in CAMERAS:
                frame = VideoFrame(
                    camera=camera,
                    sequence=tick,
                    capture_ns=t_ns,
                    sent_ns=t_ns,
                    jpeg=picture(camera, position, tick),
                )
                self._video.send(encode_frame(frame))

    def _tick(self, tick: int) -> None:
        now = self.now
        if now.mode is Mode.TAKEOVER and time.monotonic() - now.drive_t_s > SILENCE_S:
            self._go(Mode.PAUSED, Source.HOLD, "no word from the operator for 0.5 s")
        driven = self._driven()
        if driven is not None and now.drive is not None:
            scale = METRES_PER_STEP / TICKS_PER_STEP * now.drive.speed_scale
            x, y, z = now.position_m[driven]
            dx, dy, dz = (scale * axis for axis in now.drive.axes[:3])
            now.position_m[driven] = (x + dx, y + dy, z + dz)
            now.gripper_m[driven] = GRIPPER_M.get(now.drive.gripper, now.gripper_m[driven])
        acting = now.mode in {Mode.AUTONOMOUS, Mode.TAKEOVER, Mode.REWINDING}
        if now.stage is EpisodeStage.RUNNING and acting and tick % TICKS_PER_STEP == 0:
            self._record(now.step)
            if now.source is Source.HUMAN:
                now.human_steps += 1
                identity, first, _ = now.ranges[-1]
                now.ranges[-1] = (identity, first, now.step)
                now.corrected[identity] += now.phase is Phase.CORRECTION
            now.step += 1
            if now.step >= now.max_steps:
                now.stage = EpisodeStage.AWAIT_LABEL
                self._go(Mode.PAUSED, Source.HOLD, "the episode has reached its last step")

    def _driven(self) -> str | None:
        """The arm that a person moves: the one that they named when they last let go."""
        now = self.now
        if now.mode is not Mode.TAKEOVER or now.drive is None or not now.drive.deadman:
            return None
        named = self._released.get(now.holder_id) if now.holder_id else None
        return (now.drive.arm or self.arms[0]) if named == now.drive.arm else None

    def _telemetry(self) -> Message:
        now = self.now
        plain = telemetry(time.monotonic_ns())
        (measured,) = plain.arms.values()
        acting = now.mode in {Mode.AUTONOMOUS, Mode.TAKEOVER}
        episode = plain.episode.model_copy(
            update={
                "episode_id": now.episode_id,
                "number": now.number,
                "purpose": now.purpose,
                "stage": now.stage,
                "step": now.step,
                "max_steps": now.max_steps,
                "human_steps": now.human_steps,
                "interventions": now.interventions,
                "elapsed_s": now.step * TICK_S * TICKS_PER_STEP,
                "instructions": now.instructions,
                "start_refusal": now.start_refusal,
            }
        )
        lease = plain.lease.model_copy(
            update={
                "epoch": now.epoch,
                "holder": now.holder,
                "client_id": now.holder_id,
                "asked_client_id": now.asked_by,
            }
        )
        return plain.model_copy(
            update={
                "limit_profiles": tuple(
                    LimitProfileStatus(
                        name=name,
                        text=text,
                        active=name in now.profiles or name == CHOSEN_PROFILE,
                        chosen_by="task" if name == CHOSEN_PROFILE else None,
                        speed_m_s=0.15,
                        force_n=10.0,
                    )
                    for name, text in PROFILES.items()
                ),
                "mode": now.mode,
                "cause": now.cause,
                "source": now.source,
                "phase": now.phase,
                "intervention_id": now.intervention_id,
                "lease": lease,
                "episode": episode,
                "arms": {
                    name: measured.model_copy(
                        update={
                            "tcp_position_m": now.position_m[name],
                            "reference_position_m": now.position_m[name],
                            "gripper_m": now.gripper_m[name],
                            "force_n": 6.4 + number,
                            "torque_nm": 0.7 + number,
                        }
                    )
                    for number, name in enumerate(self.arms)
                },
                "speed_m_s": 0.11 if acting else 0.0,
                "moving": acting,
                "round_trip_ms": 12.0,
                "device_name": now.device_name,
            }
        )
