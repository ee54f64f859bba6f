"""A server that behaves: keeps a feed, segments and policies in memory, answers over httpx."""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx
import numpy as np
import simplejpeg

from robot_rl.config.document import file_sha256
from robot_rl.config.task import Task
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Outcome,
    Provenance,
    Purpose,
)
from robot_rl.schema.feed import FeedEvent, FeedItem, FeedPage, SegmentStored
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import (
    LearnerProgress,
    PartHeld,
    PartsLacking,
    PartsOffered,
    PolicyManifest,
    PolicyStatus,
    PolicyVersion,
)
from robot_rl.schema.segment import RecordedStep, encode_segment
from robot_rl.schema.step import ArmObservation, Step
from safety.vocabulary import Limit, Phase, Source

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Lab:
    """What a server would hold. `away` makes every call fail; `seen` is told of every progress."""

    items: list[FeedItem] = field(default_factory=list)
    segments: dict[UUID, bytes] = field(default_factory=dict)
    policies: list[tuple[PolicyManifest, bytes, bool]] = field(default_factory=list)
    parts: dict[str, bytes] = field(default_factory=dict)
    begun: dict[str, bytes] = field(default_factory=dict)  # of parts, in pieces
    sent: list[str] = field(default_factory=list)  # of parts, since the last version
    progress: list[LearnerProgress] = field(default_factory=list)
    seen: Callable[[LearnerProgress], None] = lambda _progress: None
    token: str = "secret"
    away: bool = False
    policies_away: bool = False  # only where versions are published
    refused: int = 0  # versions that could not be published; `seen` is told again of the latest
    page: int = 5
    segment_s: float = 0.0  # how long the server takes for one
    idle: threading.Event = field(default_factory=threading.Event)

    def put(self, event: FeedEvent) -> None:
        self.items.append(FeedItem(number=len(self.items) + 1, event=event))

    def put_segment(self, records: list[RecordedStep]) -> None:
        data = encode_segment(records)
        segment_id = new_id()
        self.segments[segment_id] = data
        self.put(
            SegmentStored(
                segment_id=segment_id,
                episode_id=records[0].step.episode_id,
                first_index=records[0].step.index,
                count=len(records),
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("connection refused", request=request)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401)
        path = request.url.path
        if path == "/api/feed":
            after = int(request.url.params["after"])
            if after > len(self.items):
                return httpx.Response(409, json={"detail": f"the reader has seen item {after}"})
            items = tuple(self.items[after : after + self.page])
            if not items:
                self.idle.wait(0.02)  # a short long-poll
            page = FeedPage(items=items, cursor=after + len(items))
            return httpx.Response(200, text=page.model_dump_json())
        if path.startswith("/api/segments/"):
            time.sleep(self.segment_s)
            return httpx.Response(200, content=self.segments[UUID(path.rsplit("/", 1)[1])])
        if path == "/api/learner/progress":
            progress = LearnerProgress.model_validate_json(request.content)
            self.progress.append(progress)
            self.seen(progress)
            return httpx.Response(204)
        if path == "/api/policies/parts/lacking":
            offered = PartsOffered.model_validate_json(request.content)
            lacking = [file.sha256 for file in offered.files if file.sha256 not in self.parts]
            held = tuple(PartHeld(sha256=sha256, held_bytes=0) for sha256 in lacking)
            return httpx.Response(200, text=PartsLacking(files=held).model_dump_json())
        if path.startswith("/api/policies/parts/"):
            sha256 = path.rsplit("/", 1)[1]
            data = self.begun.pop(sha256, b"") + request.content
            if len(data) < int(request.url.params["size_bytes"]):
                self.begun[sha256] = data
            else:
                assert hashlib.sha256(data).hexdigest() == sha256
                self.parts[sha256] = data
                self.sent.append(sha256)
            answer = PartHeld(sha256=sha256, held_bytes=len(data))
            return httpx.Response(200, text=answer.model_dump_json())
        assert path == "/api/policies"
        if self.policies_away:
            self.refused += 1
            self.seen(self.progress[-1])
            raise httpx.ConnectError("connection refused", request=request)
        return self._store(request)

    def _store(self, request: httpx.Request) -> httpx.Response:
        manifest = PolicyManifest.model_validate_json(request.content)
        assert all(file.sha256 in self.parts for file in manifest.files)
        known = [kept.policy_id for kept, _, _ in self.policies]
        if manifest.policy_id not in known:
            backbone = manifest.backbone.sha256 in self.sent
            self.policies.append((manifest, self.parts[manifest.head.sha256], backbone))
            self.sent.clear()
        version = len(self.policies)
        return httpx.Response(
            201,
            text=PolicyVersion(
                version=version, status=PolicyStatus.CANDIDATE, manifest=manifest
            ).model_dump_json(),
        )


def record_episode(
    lab: Lab,
    task: Task,
    seed: int,
    *,
    steps: int = 8,
    human: tuple[int, ...] = (),
    marked_from: int = 0,
    purpose: Purpose = Purpose.TRAINING,
    outcome: Outcome = Outcome.SUCCESS,
    segment: int = 3,
    cell: str = "cell",
    task_sha256: str = "",
    identity: DataIdentity | None = None,
    unseen: tuple[int, ...] = (),
    columns: int = 7,
    tcp_m: Callable[[int], tuple[float, float, float]] | None = None,
    braked: tuple[int, ...] = (),
) -> tuple[UUID, UUID]:
    """Put a whole episode of made-up steps into the feed; returns its and its intervention's id.

    `human`: the steps that a person drove; key C was pressed before step `marked_from`. `tcp_m`:
    where the TCP is at a record; else anywhere. `braked`: steps in which the safety chain braked.
    """
    rng = np.random.default_rng(seed)
    episode_id, intervention_id = new_id(), new_id()
    provenance = Provenance(
        cell_sha256=cell,
        task_sha256=task_sha256 or file_sha256(task.path),
        calibration_sha256=f"calibration of {cell}",
        code_version="test",
        identity=identity,
    )
    lab.put(
        EpisodeStarted(
            episode_id=episode_id,
            run_id=new_id(),
            robot="robot",
            task=task.name,
            instruction=task.instruction,
            purpose=purpose,
            seed=seed,
            step_s=task.step_s,
            cameras=task.cameras,
            joints=7,
            operator=None,
            provenance=provenance,
            t_robot_ns=0,
            t_utc=NOON,
        )
    )
    records = [
        _record(
            task,
            rng,
            episode_id,
            index,
            acts=index < steps,
            intervention_id=intervention_id if index in human else None,
            phase=Phase.CORRECTION if index >= marked_from else Phase.RECOVERY,
            columns=columns,
            tcp_m=tcp_m,
            limits=int(Limit.BRAKE) if index in braked else 0,
        )
        for index in range(steps + 1)
    ]
    for index in unseen:
        records[index] = RecordedStep(step=records[index].step, images={})
    for first in range(0, len(records), segment):
        lab.put_segment(records[first : first + segment])
    if human:
        lab.put(
            InterventionEnded(
                intervention_id=intervention_id,
                episode_id=episode_id,
                operator="ada",
                device="keyboard",
                reason="test",
                first_index=min(human),
                last_index=max(human),
                correction_steps=sum(index >= marked_from for index in human),
                started_t_utc=NOON,
                ended_t_utc=NOON,
                ended_t_robot_ns=0,
            )
        )
    lab.put(
        EpisodeEnded(
            episode_id=episode_id,
            outcome=outcome,
            cause="test",
            labeller="simulator",
            steps=steps,
            human_steps=len(human),
            t_robot_ns=0,
            t_utc=NOON,
        )
    )
    return episode_id, intervention_id


def _record(
    task: Task,
    rng: np.random.Generator,
    episode_id: UUID,
    index: int,
    *,
    acts: bool,
    intervention_id: UUID | None,
    phase: Phase,
    columns: int,
    tcp_m: Callable[[int], tuple[float, float, float]] | None,
    limits: int,
) -> RecordedStep:
    human = intervention_id is not None
    image = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
    action = (*rng.uniform(-1, 1, 3).tolist(), 0.0, 0.0, 0.0, float(rng.integers(-1, 2)))
    action += (0.0,) * (columns - len(action))
    anywhere = tuple(rng.uniform(0, 0.5, 3).tolist())
    arm = ArmObservation(
        tcp_position_m=anywhere if tcp_m is None else tcp_m(index),
        tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0),
        tcp_twist=(0.0,) * 6,
        wrench=(0.0,) * 6,
        gripper_m=0.05,
        q_rad=(0.0,) * 7,
        dq_rad_s=(0.0,) * 7,
    )
    step = Step(
        episode_id=episode_id,
        index=index,
        t_robot_ns=index * task.step_ns,
        t_utc=NOON,
        arms={"arm": arm},
        frames={},
        executed_action=action if acts else None,
        human_action=action if acts and human else None,
        source=Source.HUMAN if human else Source.POLICY,
        phase=phase if human else None,
        intervention_id=intervention_id,
        limits=limits,
    )
    jpeg = simplejpeg.encode_jpeg(image, quality=80)
    return RecordedStep(step=step, images=dict.fromkeys(task.cameras, jpeg))
