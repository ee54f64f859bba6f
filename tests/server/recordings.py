"""What a robot would record: episodes, segments and batches, from a seed."""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from benchmarks.recording import picture
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    HandoverEnded,
    HandoverFigures,
    InterventionEnded,
    Outcome,
    PolicyActivated,
    Provenance,
    Purpose,
    RobotEvent,
)
from robot_rl.schema.ingest import BatchHeader, BatchItem, SegmentRef
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import (
    PIECE_BYTES,
    Part,
    PartFile,
    PartRole,
    PolicyManifest,
    Update,
    parts_sha256,
)
from robot_rl.schema.segment import RecordedStep, encode_segment
from robot_rl.schema.step import ArmObservation, FrameStamp, RewardEvidence, Step
from safety.vocabulary import Source

ROBOT = "panda_1"
TASK = "lift_cube"
CAMERAS = ("front", "wrist")
STEP_NS = 100_000_000
SEGMENT_STEPS = 64  # most of one SegmentRef
PROVENANCE = Provenance(
    cell_sha256="c" * 64, task_sha256="t" * 64, calibration_sha256="0" * 64, code_version="test"
)


def jpeg(camera: str, index: int, size: int = 4000) -> bytes:
    """As big as a camera's, and different for every frame."""
    return picture(hashlib.shake_256(f"{camera} {index}".encode()).digest(size))


def of_size(jpeg: bytes, height: int) -> bytes:
    """The same picture, which says of itself that it is so high."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">H", height) + jpeg[at + 2 :]


def arm() -> ArmObservation:
    return ArmObservation(
        tcp_position_m=(0.4, 0.0, 0.2),
        tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0),
        tcp_twist=(0.0,) * 6,
        wrench=(0.0,) * 6,
        gripper_m=0.04,
        q_rad=(0.1,) * 7,
        dq_rad_s=(0.0,) * 7,
    )


@dataclass(slots=True, kw_only=True)
class Recording:
    """An outbox: rows numbered from 1, each a step or an event."""

    robot: str = ROBOT
    boot_epoch: UUID = field(default_factory=new_id)
    rows: list[RecordedStep | RobotEvent] = field(default_factory=list)
    t_ns: int = 1_000_000_000

    def start(self, **values: Any) -> UUID:
        started = EpisodeStarted(
            **{
                "episode_id": new_id(),
                "run_id": new_id(),
                "robot": self.robot,
                "task": TASK,
                "instruction": "lift the red cube",
                "purpose": Purpose.TRAINING,
                "seed": 7,
                "step_s": 0.1,
                "cameras": CAMERAS,
                "joints": 7,
                "operator": "ada",
                "provenance": PROVENANCE,
                "t_robot_ns": self.t_ns,
                "t_utc": utc_now(),
                **values,
            }
        )
        self.rows.append(started)
        return started.episode_id

    def step(self, episode_id: UUID, index: int, *, last: bool = False, **values: Any) -> None:
        self.t_ns += STEP_NS
        action = None if last else (0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        step = Step(
            **{
                "episode_id": episode_id,
                "index": index,
                "t_robot_ns": self.t_ns,
                "t_utc": utc_now(),
                "arms": {"arm": arm()},
                "frames": {c: FrameStamp(number=index, capture_ns=self.t_ns) for c in CAMERAS},
                "proposed_action": action,
                "executed_action": action,
                "source": Source.HOLD if last else Source.POLICY,
                "policy_version": None if last else 1,
                "terminated": last,
                **values,
            }
        )
        images = {camera: jpeg(camera, index) for camera in CAMERAS}
        self.rows.append(RecordedStep(step=step, images=images))

    def end(self, episode_id: UUID, steps: int, **values: Any) -> None:
        self.rows.append(
            EpisodeEnded(
                **{
                    "episode_id": episode_id,
                    "outcome": Outcome.SUCCESS,
                    "cause": "done",
                    "labeller": "ada",
                    "steps": steps,
                    "human_steps": 0,
                    "t_robot_ns": self.t_ns,
                    "t_utc": utc_now(),
                    **values,
                }
            )
        )

    def intervention(self, episode_id: UUID, first: int, last: int, **values: Any) -> UUID:
        now = utc_now()
        event = InterventionEnded(
            **{
                "intervention_id": new_id(),
                "episode_id": episode_id,
                "operator": "ada",
                "device": "keyboard",
                "reason": "missed grasp",
                "first_index": first,
                "last_index": last,
                "correction_steps": last - first + 1,
                "started_t_utc": now - timedelta(seconds=1),
                "ended_t_utc": now,
                "ended_t_robot_ns": self.t_ns,
                **values,
            }
        )
        self.rows.append(event)
        return event.intervention_id

    def handover(self, episode_id: UUID | None, **figures: Any) -> UUID:
        """The policy hands the robot to a person; `figures` in place of those that do not bump."""
        smooth = HandoverFigures(
            arm="arm",
            before=Source.POLICY,
            after=Source.HUMAN,
            jump_m=2e-4,
            jump_rad=1e-6,
            jerk_m_s3=1700.0,
            torque_step_nm_ms=0.15,
            force_before_n=15.1,
            force_n=15.0,
        )
        event = HandoverEnded(
            handover_id=new_id(),
            episode_id=episode_id,
            figures=smooth.model_copy(update=figures),
            t_robot_ns=self.t_ns,
            t_utc=utc_now(),
        )
        self.rows.append(event)
        return event.handover_id

    def activated(self, version: int, sha256: str, *, episode_id: UUID | None = None) -> None:
        self.rows.append(
            PolicyActivated(
                version=version,
                sha256=sha256,
                episode_id=episode_id,
                t_robot_ns=self.t_ns,
                t_utc=utc_now(),
            )
        )

    def episode(
        self,
        steps: int,
        *,
        human: Iterable[int] = (),
        success: bool = True,
        profiles: Sequence[str] = (),
        **values: Any,
    ) -> UUID:
        """A whole episode of `steps` actions; `human`: the indices at which a person drove;
        `profiles`: limit profiles, of which each step has one more.
        """
        driven = set(human)
        episode_id = self.start(**values)
        for index in range(steps):
            action = (0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
            source: dict[str, Any] = (
                {"source": Source.HUMAN, "human_action": action, "policy_version": None}
                if index in driven
                else {}
            )
            active = tuple(profiles[: index + 1])
            self.step(episode_id, index, limit_profiles=active, **source)
        self.step(episode_id, steps, last=True, evidence=RewardEvidence(simulator_success=success))
        if driven:
            self.intervention(episode_id, min(driven), max(driven))
        outcome = Outcome.SUCCESS if success else Outcome.FAILURE
        self.end(episode_id, steps, outcome=outcome, human_steps=len(driven))
        return episode_id

    def spoil(self, row: int, **values: Any) -> None:
        """Change an event past every check that a robot makes."""
        event = self.rows[row]
        assert not isinstance(event, RecordedStep)
        self.rows[row] = event.model_copy(update=values)

    def batch(self, first: int = 1, last: int | None = None) -> "Batch":
        """Rows `first` to `last`, counted from 1, both included."""
        rows = self.rows[first - 1 : last]
        return pack(self, rows, first)

    def batches(self, size: int) -> list["Batch"]:
        count = len(self.rows)
        return [self.batch(n, min(n + size - 1, count)) for n in range(1, count + 1, size)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    header: BatchHeader
    files: dict[str, bytes]


def pack(recording: Recording, rows: Sequence[RecordedStep | RobotEvent], first: int) -> Batch:
    items: list[BatchItem] = []
    files: dict[str, bytes] = {}
    run: list[RecordedStep] = []

    def flush() -> None:
        if run:
            part, data = f"segment{len(files)}", encode_segment(run)
            files[part] = data
            items.append(
                SegmentRef(
                    part=part,
                    episode_id=run[0].step.episode_id,
                    first_index=run[0].step.index,
                    count=len(run),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )
            run.clear()

    for row in rows:
        if isinstance(row, RecordedStep):
            other = run and run[-1].step.episode_id != row.step.episode_id
            if other or len(run) == SEGMENT_STEPS:
                flush()
            run.append(row)
        else:
            flush()
            items.append(row)
    flush()
    header = BatchHeader(
        robot=recording.robot,
        boot_epoch=recording.boot_epoch,
        first_sequence=first,
        last_sequence=first + len(rows) - 1,
        sent_t_utc=utc_now(),
        items=tuple(items),
    )
    return Batch(header=header, files=files)


def post(client: httpx.Client, batch: Batch) -> httpx.Response:
    """As the robot's link posts it."""
    parts: list[Any] = [("header", (None, batch.header.model_dump_json(), "application/json"))]
    parts += [(name, (name, data)) for name, data in batch.files.items()]
    return client.post("/api/ingest", files=parts)


def policy(
    number: int = 0,
    *,
    task: str = TASK,
    parent: int | None = None,
    interventions: Sequence[UUID] = (),
    backbone: bytes = b"backbone",
) -> tuple[PolicyManifest, bytes, bytes]:
    """Manifest, weights and backbone."""
    weights = f"weights {number} of {task}".encode() * 100
    parts = (
        part_of(PartRole.BACKBONE, "keypoint_cnn", backbone),
        part_of(PartRole.HEAD, "head", weights),
    )
    manifest = PolicyManifest(
        policy_id=new_id(),
        task=task,
        parent_version=parent,
        algorithm="hil_serl",
        sha256=parts_sha256(parts),
        size_bytes=len(backbone) + len(weights),
        parts=parts,
        created_t_utc=utc_now(),
        feed_cursor=0,
        update=Update(
            learner_step=10 * number,
            env_steps=100,
            critic_updates=20,
            actor_updates=10,
            losses={"critic": 0.5},
            batch_online=128,
            batch_demonstrations=128,
            new_interventions=tuple(interventions),
            wall_s=2.0,
        ),
    )
    return manifest, weights, backbone


def part_of(role: PartRole, kind: str, data: bytes) -> Part:
    """A part of one file."""
    sha256 = hashlib.sha256(data).hexdigest()
    file = PartFile(name=f"{role}.safetensors", sha256=sha256, size_bytes=len(data))
    return Part(role=role, kind=kind, sha256=sha256, files=(file,))


def send_part(client: httpx.Client, file: PartFile, data: bytes) -> httpx.Response:
    """All of it in pieces, as the learner sends it; the last answer."""
    offset = 0
    while True:
        response = client.put(
            f"/api/policies/parts/{file.sha256}",
            params={"offset": offset, "size_bytes": file.size_bytes},
            content=data[offset : offset + PIECE_BYTES],
        )
        if response.status_code != 200:
            return response
        offset = response.json()["held_bytes"]
        if offset >= file.size_bytes:
            return response


def publish(
    client: httpx.Client, manifest: PolicyManifest, weights: bytes, backbone: bytes | None = None
) -> httpx.Response:
    """As the learner sends it; the backbone unless it is there already."""
    for part, data in ((manifest.head, weights), (manifest.backbone, backbone)):
        if data is not None:
            response = send_part(client, part.files[0], data)
            if response.status_code != 200:
                return response
    body = manifest.model_dump_json()
    return client.post("/api/policies", content=body, headers={"Content-Type": "application/json"})
