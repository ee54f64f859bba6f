"""The actor's loop alone on its shared memory: the test is control, arm, cameras, link and clock.

Nothing runs beside it and time moves only when somebody waits, so that lateness, lost results and
blind cameras happen exactly when a test says so.
"""

import itertools
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import simplejpeg
import torch
from pydantic import TypeAdapter

from hardware import arm_topics, simulation_topics
from hardware.camera import open_frames
from hardware.memory import Record
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.actor.policy import PolicyHolder
from robot_rl.daemon.actor.process import ActorLoop
from robot_rl.daemon.log import Log
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.policy.checkpoint import write_checkpoint
from robot_rl.policy.consistency_head import ConsistencyPolicy
from robot_rl.policy.head import HeadPolicy, HeadSettings
from robot_rl.policy.heads import new_head
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.parts import adapter_part, backbone_part, head_part, risk_part
from robot_rl.policy.starting import write_untrained
from robot_rl.policy.success_classifier import SuccessClassifier
from robot_rl.policy.versions import VersionStore
from robot_rl.policy.weights import encode_head
from robot_rl.schema.live.client_message import BeginReset, ConfirmReset, Request, StartEpisode
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import (
    PolicyManifest,
    PolicyStatus,
    PolicyVersion,
    encoder_sha256,
    parts_sha256,
)
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import Step
from safety.vocabulary import ONLY_ARM
from tests.daemon.actor.hand import MS, STEP, HandClock, HandThinker

DELAY = 50 * MS
HOME = (0.42, 0.0, 0.22)
SEED = 7
_INTENTS: TypeAdapter[messages.Intent] = TypeAdapter(messages.Intent)
_ANSWERS: TypeAdapter[CommandResult] = TypeAdapter(CommandResult)


class Said(Log):
    """What the actor logs."""

    def __init__(self) -> None:
        super().__init__(None, "actor")
        self.sentences: list[str] = []

    def say(self, sentence: str, **fields: str | int | float | None) -> None:
        self.sentences.append(sentence)


class Rig:
    """`late_ns`: T_k → how late the actor wakes. `slow_ns`: T_k → how long the policy thinks.
    `lost`: T_k whose result control never gives.
    """

    def __init__(self, folder: Path, seed: int, **changes: Any) -> None:
        path = folder / "task.toml"
        path.write_bytes(b"# the task under test\n")
        task = load_task("lift_cube").model_copy(update={"path": path, **changes})
        write_untrained(folder / task.policy.folder, task, seed)
        self.settings = DaemonSettings(
            cell=load_cell("simulation"),
            task=task,
            data_folder=folder / "data",
            seed=seed,
            memory=folder / "memory",
        )
        memory = self.settings.memory
        memory.mkdir()
        self.settings.data_folder.mkdir()
        self.late_ns: dict[int, int] = {}
        self.slow_ns: dict[int, int] = {}
        self.lost: set[int] = set()
        self.profiles = b""  # limit profiles that are active
        self.cameras = set(task.cameras)  # those that deliver images
        self.brightness = 90  # of what they show
        self.classifier: SuccessClassifier | None = None  # of the next actor process
        self.no_number: set[int] = set()  # T_k at which the arm measures NaN
        self.no_position: set[int] = set()  # T_k at which its position is NaN
        self.clock = HandClock(self._pass_to)
        self.driven_by: UUID | None = None
        self.said = Said()
        self.ending: list[int] = []
        self._until_ns = 0
        self._client = uuid4()
        self._epoch = itertools.count(1)
        self._versions = itertools.count(1)
        self._after = 0
        self._arm = arm_topics.open_state(memory, self.settings.cell.arms[ONLY_ARM].joints)
        self._truth = simulation_topics.open_truth(memory)
        self.frames = {name: open_frames(memory, name) for name in task.cameras}
        self._placed = simulation_topics.open_placed(memory)
        self._placing = simulation_topics.open_placing(memory)
        self._control = topics.open_slot(memory, "control")
        self._rings = {name: topics.open_ring(memory, name) for name in topics.RINGS}
        columns = task.action.size
        self._rings["step_results"] = topics.open_step_results(memory, columns)
        self.chunks = topics.open_chunk(memory, task.action.size)
        self._in_force = self.chunks.read()  # at the last B_k
        self.episode = topics.open_slot(memory, "episode")
        truth = np.zeros((), simulation_topics.TRUTH)
        truth["seed"], truth["start_position"] = SEED, HOME
        self._truth.write(truth)
        self.sense(self.clock.t_ns)
        self.mode("idle")
        self.outbox = OutboxWriter(self.settings.outbox_file)
        self.policy = PolicyHolder(task, self.settings.policy_folder, seed, at_once=True)
        self.restart()

    # ---- time -----------------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """Let the actor go on for so many steps of the grid; afterwards its loop has not ended."""
        self._until_ns = self.clock.t_ns + steps * STEP
        self.ending.clear()
        self.loop.run(self.ending)

    def restart(self) -> None:
        """The process died, if it ran, and another one begins."""
        self.loop = ActorLoop(
            self.settings,
            self.clock,
            self.said,
            self.outbox,
            self.policy,
            self.classifier,
            HandThinker(self.clock, self.slow_ns),
        )

    def end(self) -> None:
        """SIGTERM."""
        self.loop.run([15])
        self.loop.close()

    def _pass_to(self, t_ns: int) -> None:
        """The world until `t_ns`: every T_k shows and every B_k ends a window."""
        t_ns += self.late_ns.pop(t_ns, 0)
        while True:
            now_ns = self.clock.t_ns
            sees = (now_ns // STEP + 1) * STEP
            acts = ((now_ns - DELAY) // STEP + 1) * STEP + DELAY
            next_ns = min(sees, acts)
            if next_ns > t_ns:
                break
            self.clock.t_ns = next_ns
            if next_ns == sees:
                self.sense(next_ns)
            else:
                self._account(next_ns - DELAY - STEP)
        self.clock.t_ns = max(self.clock.t_ns, t_ns)
        if self.clock.t_ns >= self._until_ns and self.clock.t_ns % STEP > DELAY:
            self.ending.append(0)  # this attend is the last

    def sense(self, t_ns: int) -> None:
        arm = np.zeros((), arm_topics.state_type(self.settings.cell.arms[ONLY_ARM].joints))
        arm["t_ns"], arm["position"], arm["quaternion"] = t_ns, HOME, (0, 1, 0, 0)
        arm["gripper_m"] = t_ns * 1e-12  # so that a record shows when it was measured
        arm["twist"] = np.nan if t_ns in self.no_number else 0.0
        if t_ns in self.no_position:
            arm["position"] = np.nan
        self._arm.write(arm)
        for name in self.cameras:
            self.show(name, t_ns)

    def show(self, camera: str, t_ns: int) -> None:
        jpeg = simplejpeg.encode_jpeg(np.full((128, 128, 3), self.brightness, np.uint8))
        self.frames[camera].write(jpeg, capture_ns=t_ns, width=128, height=128)

    def _account(self, observation_ns: int) -> None:
        """Control's word on the window that began at T_k + delay."""
        result = np.zeros((), topics.step_result_type(self.settings.task.action.size))
        result["observation_ns"] = observation_ns
        chunk, self._in_force = self._in_force, self.chunks.read()
        due = int(chunk["count"]) and int(chunk["observation_ns"]) == observation_ns
        mode = bytes(self._control.read()["mode"])
        result["source"] = b"policy" if due and mode == b"autonomous" else b"hold"
        if mode == b"rewinding":
            result["source"] = b"rewind"
        result["limit_profiles"] = self.profiles
        if due:
            result["has_proposed"] = True
            result["chunk_id"] = chunk["chunk_id"]
            result["proposed"] = chunk["actions"][0]
            result["executed"] = np.nan_to_num(chunk["actions"][0])  # what is no number is not done
        if self.driven_by is not None:
            result["source"], result["intervention_id"] = b"human", np.void(self.driven_by.bytes)
        if observation_ns not in self.lost:
            self._rings["step_results"].push(cast(Record, result[()]))

    def judge(self, said: str) -> None:
        """The simulator says from now on that it is a `success`, or has `failed`."""
        truth = self._truth.read()
        truth[said] = True
        self._truth.write(truth)

    # ---- control --------------------------------------------------------------------------------

    def mode(
        self,
        mode: str,
        *,
        tell: str | None = None,
        previous: str = "idle",
        holder: UUID | None = None,
    ) -> None:
        """Control is in a mode from now on; `tell`: and sends the event, with this cause.

        `holder`: of the lease.
        """
        record = np.zeros((), topics.CONTROL)
        record["t_ns"], record["mode"] = self.clock.t_ns, mode.encode()
        record["epoch"] = next(self._epoch)
        if holder is not None:
            record["lease_client"], record["lease_holder"] = np.void(holder.bytes), b"bob"
        self._control.write(record)
        if tell is not None:
            event = messages.ModeChanged(
                mode=mode, previous=previous, cause=tell, by="ada", t_ns=self.clock.t_ns
            )
            self.happens(event)

    def happens(self, event: messages.ControlEvent) -> None:
        assert messages.send(self._rings["control_events"], event)

    def intents(self) -> list[messages.Intent]:
        return messages.receive(self._rings["intents"], _INTENTS)

    # ---- people and the server ------------------------------------------------------------------

    def ask(self, kind: type[Request], *, age_ms: int = 0, **fields: Any) -> CommandResult:
        """Ask as ada, let the actor attend, and give its answer."""
        request: Any = kind(request_id=uuid4(), echo_t_ns=self.clock.t_ns - age_ms * MS, **fields)
        sender = FromClient(client_id=self._client, user="ada", message=request)
        assert messages.send(self._rings["actor_requests"], sender)
        self.loop.actor.attend(self.clock.t_ns)
        answer = messages.receive(self._rings["actor_results"], _ANSWERS)[-1]
        assert answer.request_id == request.request_id
        return answer

    def start(self, **fields: Any) -> None:
        """An episode begins, and control follows the policy."""
        answer = self.ask(StartEpisode, **fields)
        assert answer.accepted, answer.reason
        self.mode("autonomous")

    def reset(self) -> None:
        """Until ready: home, confirmed by ada, objects placed, at the start pose."""
        self.mode("idle")
        if self.stage == "ready":
            assert self.ask(BeginReset, seed=SEED).accepted
        self.happens(messages.HomeReached(t_ns=self.clock.t_ns))
        self.run(1)
        answer = self.ask(ConfirmReset)
        assert answer.accepted, answer.reason
        self.place()
        self.run(1)
        self.happens(messages.HomeReached(t_ns=self.clock.t_ns))
        self.run(1)
        assert self.stage == "ready"

    def place(self) -> None:
        """The simulator places the objects as it was asked to."""
        request = self._placing.drain()[-1]
        truth = self._truth.read()
        truth["seed"] = request["seed"]
        self._truth.write(truth)
        self._placed.write(
            np.array(
                (request["number"], request["seed"], self.clock.t_ns), simulation_topics.PLACED
            )
        )

    def takes_over(self, intervention: UUID) -> None:
        """Ada drives from now on."""
        self.driven_by = intervention
        self.mode("takeover")
        self.happens(
            messages.InterventionBegan(
                intervention_id=intervention,
                operator="ada",
                device="keyboard",
                reason="",
                t_ns=self.clock.t_ns,
            )
        )

    def publish(
        self,
        shape: HeadSettings | None = None,
        *,
        backbone: KeypointNet | None = None,
        standing_on: str = "",
        adapter: bytes | None = None,
        risk: bytes | None = None,
    ) -> PolicyVersion:
        """A new version lies in the policy folder as a download leaves it, and is offered."""
        published, contents = self.make_version(
            shape, backbone=backbone, standing_on=standing_on, adapter=adapter, risk=risk
        )
        store = VersionStore(self.settings.policy_folder)
        for file in published.manifest.files:
            store.partial(file).write_bytes(contents[file.sha256])
            store.keep(file)
        store.lay_down(published)
        self.offer(published)
        return published

    def make_version(
        self,
        shape: HeadSettings | None = None,
        *,
        backbone: KeypointNet | None = None,
        standing_on: str = "",
        adapter: bytes | None = None,
        risk: bytes | None = None,
    ) -> tuple[PolicyVersion, dict[str, bytes]]:
        """A new version as the server has it, and its files by their hashes.

        On the acting backbone, or on `backbone`; its head's file names `standing_on` instead.
        """
        policy = self.policy.policy
        assert isinstance(policy, HeadPolicy | ConsistencyPolicy)
        version = next(self._versions)
        torch.manual_seed(version)
        folder = self.settings.data_folder.parent / f"made_{version}"
        head = new_head(shape or policy.head.settings)
        net = backbone or cast("KeypointCnn", policy.backbone).net
        described = write_checkpoint(
            folder, net=net, head=head, task="lift_cube", instruction="", algorithm="test"
        )
        local = [backbone_part(folder, described)]
        if adapter is not None:
            local.append(adapter_part(adapter))
        encoder = encoder_sha256(
            local[0].part.sha256, None if adapter is None else local[1].part.sha256
        )
        trained = encode_head(head, standing_on or encoder)
        local.append(head_part(trained, head.settings.kind))
        local += [] if risk is None else [risk_part(risk)]
        parts = tuple(each.part for each in local)
        manifest = PolicyManifest(
            policy_id=new_id(),
            task=self.settings.task.name,
            parent_version=None,
            algorithm="hil_serl",
            sha256=parts_sha256(parts),
            size_bytes=sum(part.size_bytes for part in parts),
            parts=parts,
            created_t_utc=utc_now(),
            feed_cursor=0,
            update=None,
        )
        contents = {
            sha256: data if isinstance(data, bytes) else data.read_bytes()
            for each in local
            for sha256, data in each.contents.items()
        }
        status = PolicyStatus.CANDIDATE
        return PolicyVersion(version=version, status=status, manifest=manifest), contents

    def offer(self, policy: PolicyVersion) -> None:
        folder = self.settings.policy_folder / policy.manifest.sha256
        ready = messages.PolicyReady(
            folder=str(folder), version=policy.version, sha256=policy.manifest.sha256
        )
        assert self.take(ready)

    def take(self, ready: messages.PolicyReady) -> bool:
        """As the link offers a version."""
        return messages.send(self._rings["actor_requests"], ready)

    def forget_offers(self) -> None:
        """What was offered never reached this actor."""
        self._rings["actor_requests"].drain()

    # ---- what came of it ------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        return bytes(self.episode.read()["stage"]).decode()

    @property
    def version(self) -> int:
        """The version that is loaded."""
        return int(self.episode.read()["policy_version"])

    def recorded(self) -> list[Any]:
        """What came into the outbox since the last call."""
        assert self.outbox.flush()
        reader = OutboxReader(self.settings.outbox_file)
        pending = reader.pending(self._after, 10_000)
        reader.close()
        if pending is None or not pending.rows:
            return []
        self._after = pending.rows[-1].number
        return [row.content for row in pending.rows]


def of[T](kind: type[T], contents: list[Any]) -> list[T]:
    return [content for content in contents if isinstance(content, kind)]


def steps_of(contents: list[Any]) -> list[Step]:
    return [record.step for record in of(RecordedStep, contents)]
