"""How long a learner takes from its start to its first update, with a day's steps recorded.

A server in memory holds episodes with real segments (JPEG images of the default cell's size), and
the store their encodings, with random numbers for features: what encoding them costs is not what
is measured. A learner takes them in, saves its state and stops; then it is started again. Reading
over a network is not in it; that no segment is fetched again is shown by the count of requests.
"""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import simplejpeg

from benchmarks.measurement import Machine, Result, Target
from robot_rl.config import load_cell, load_task
from robot_rl.config.document import file_sha256
from robot_rl.config.identity import data_identity
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.encoded import Encoded
from robot_rl.learner.feature_store import FeatureStore, segment_key
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.learner import FEATURES, Learner
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.folder import read_manifest
from robot_rl.policy.starting import shapes, starting_folder, write_untrained
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    Outcome,
    Provenance,
    Purpose,
)
from robot_rl.schema.feed import FeedEvent, FeedItem, FeedPage, SegmentStored
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import (
    LearnerProgress,
    PartHeld,
    PartsLacking,
    PartsOffered,
    PolicyManifest,
    PolicyStatus,
    PolicyVersion,
)
from robot_rl.schema.segment import RecordedStep, decode_segment, encode_segment
from robot_rl.schema.step import ArmObservation, Step
from safety.vocabulary import Source

STEPS, STEPS_QUICK = 20_000, 500
EPISODE_STEPS, SEGMENT_STEPS = 50, 5  # the default task's are cut every half second
AT_MOST_S = 10.0
_PAGE = 500


class RecordedDay:
    """A server in memory: a feed, segments, and a learner's reports."""

    def __init__(self, task: Task, steps: int) -> None:
        self._task = task
        self._items: list[FeedItem] = []
        self._segments: dict[UUID, bytes] = {}
        self._held: set[str] = set()
        self._version = 0
        self.fetched = 0  # segments
        self.seen: Callable[[LearnerProgress], None] = lambda _: None
        cell = load_cell("simulation")
        self._provenance = Provenance(
            cell_sha256=file_sha256(cell.path),
            task_sha256=file_sha256(task.path),
            calibration_sha256="",
            code_version="benchmark",
            identity=data_identity(cell, task),
        )
        rng = np.random.default_rng(0)
        smooth = rng.integers(0, 255, (32, 8, 8, 3), np.uint8).repeat(32, 1).repeat(32, 2)
        self._jpegs = [simplejpeg.encode_jpeg(image, quality=80) for image in smooth]
        for seed in range(steps // EPISODE_STEPS):
            self._record(seed, rng)

    @property
    def items(self) -> int:
        return len(self._items)

    @property
    def segments(self) -> int:
        return len(self._segments)

    def fill(self, folder: Path) -> None:
        """The store as a learner leaves it that has encoded all of the day."""
        manifest = read_manifest(starting_folder(self._task))
        size, rng = shapes(self._task)[0].size, np.random.default_rng(1)
        store = FeatureStore(folder, manifest.backbone.model_dump_json(), one_by_one=False)
        for item in self._items:
            event = item.event
            if isinstance(event, SegmentStored):
                steps = [each.step for each in decode_segment(self._segments[event.segment_id])]
                features = rng.normal(size=(len(steps), size)).astype(np.float32)
                encoded = Encoded(
                    trajectory=Trajectory.of(steps, features, action=self._task.action.size),
                    first_index=event.first_index,
                    interventions=(None,) * len(steps),
                )
                store.put(segment_key(event.sha256, self._task.instruction), encoded)
        store.close()

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _put(self, event: FeedEvent) -> None:
        self._items.append(FeedItem(number=len(self._items) + 1, event=event))

    def _record(self, seed: int, rng: np.random.Generator) -> None:
        episode_id, task = new_id(), self._task
        self._put(
            EpisodeStarted(
                episode_id=episode_id, run_id=new_id(), robot="robot", task=task.name,
                instruction=task.instruction, purpose=Purpose.TRAINING, seed=seed,
                step_s=task.step_s, cameras=task.cameras, joints=7, operator=None,
                provenance=self._provenance, t_robot_ns=0, t_utc=utc_now(),
            )
        )  # fmt: skip
        records = [
            self._step(episode_id, index, rng, last=index == EPISODE_STEPS)
            for index in range(EPISODE_STEPS + 1)
        ]
        for first in range(0, len(records), SEGMENT_STEPS):
            data = encode_segment(records[first : first + SEGMENT_STEPS])
            segment_id = new_id()
            self._segments[segment_id] = data
            self._put(
                SegmentStored(
                    segment_id=segment_id, episode_id=episode_id, first_index=first,
                    count=len(records[first : first + SEGMENT_STEPS]),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )  # fmt: skip
        self._put(
            EpisodeEnded(
                episode_id=episode_id, outcome=Outcome.SUCCESS, cause="", labeller="simulator",
                steps=EPISODE_STEPS, human_steps=0, t_robot_ns=0, t_utc=utc_now(),
            )
        )  # fmt: skip

    def _step(
        self, episode_id: UUID, index: int, rng: np.random.Generator, *, last: bool
    ) -> RecordedStep:
        action = None if last else tuple(rng.uniform(-1, 1, self._task.action.size).tolist())
        step = Step(
            episode_id=episode_id, index=index, t_robot_ns=index, t_utc=utc_now(),
            arms={"arm": ArmObservation(
                tcp_position_m=(0.4, 0.0, 0.2), tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0),
                tcp_twist=(0.0,) * 6, wrench=(0.0,) * 6, gripper_m=0.04, q_rad=(0.0,) * 7,
                dq_rad_s=(0.0,) * 7,
            )},
            frames={}, proposed_action=action, executed_action=action,
            source=Source.HOLD if last else Source.POLICY, terminated=last, policy_version=1,
        )  # fmt: skip
        images = {name: self._jpegs[int(rng.integers(32))] for name in self._task.cameras}
        return RecordedStep(step=step, images=images)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, content = request.url.path, request.content
        if path == "/api/feed":
            after = int(request.url.params["after"])
            items = tuple(self._items[after : after + _PAGE])
            if not items:
                time.sleep(0.05)
            page = FeedPage(items=items, cursor=after + len(items))
            return httpx.Response(200, text=page.model_dump_json())
        if path.startswith("/api/segments/"):
            self.fetched += 1
            return httpx.Response(200, content=self._segments[UUID(path.rsplit("/", 1)[1])])
        if path == "/api/learner/progress":
            self.seen(LearnerProgress.model_validate_json(content))
            return httpx.Response(204)
        if path == "/api/policies/parts/lacking":
            files = PartsOffered.model_validate_json(content).files
            lacking = tuple(
                PartHeld(sha256=file.sha256, held_bytes=0)
                for file in files
                if file.sha256 not in self._held
            )
            return httpx.Response(200, text=PartsLacking(files=lacking).model_dump_json())
        if path.startswith("/api/policies/parts/"):
            sha256 = path.rsplit("/", 1)[1]
            self._held.add(sha256)
            held = PartHeld(sha256=sha256, held_bytes=len(content))
            return httpx.Response(200, text=held.model_dump_json())
        self._version += 1
        version = PolicyVersion(
            version=self._version,
            status=PolicyStatus.CANDIDATE,
            manifest=PolicyManifest.model_validate_json(content),
        )
        return httpx.Response(201, text=version.model_dump_json())


def run(*, quick: bool) -> Result:
    steps = STEPS_QUICK if quick else STEPS
    with tempfile.TemporaryDirectory() as folder:
        plain = load_task("lift_cube")
        task = plain.model_copy(update={"policy": StartingPolicy(folder=f"{folder}/policy")})
        write_untrained(Path(folder) / "policy", task, seed=0)
        day = RecordedDay(task, steps)
        began = time.monotonic()
        day.fill(Path(folder) / "learner" / task.name / FEATURES)
        filling_s = time.monotonic() - began
        first_s = _ready_s(day, task, Path(folder) / "learner")
        again_s = _ready_s(day, task, Path(folder) / "learner")
        kept = sum(path.stat().st_size for path in Path(folder).rglob("features/*/*"))
    return Result(
        bench="restart",
        machine=Machine.here(),
        targets=(
            Target(name="restart_s", value=again_s, unit="s", op="<=", target=AT_MOST_S),
            Target(
                name="segments_fetched_again", value=float(day.fetched), unit="", op="==",
                target=0.0,
            ),
        ),
        detail={
            "recorded_steps": steps,
            "segments": day.segments,
            "filling_the_store_s": filling_s,
            "start_without_a_state_s": first_s,
            "store_bytes_per_step": kept / steps,
            "load_1min": os.getloadavg()[0],
        },
    )  # fmt: skip


def _ready_s(day: RecordedDay, task: Task, data: Path) -> float:
    """From the start of a learner until every recorded item is in and training goes on."""
    stop, ready = threading.Event(), [0.0]

    def told(progress: LearnerProgress) -> None:
        if progress.feed_cursor >= day.items and not ready[0]:
            ready[0] = time.monotonic()
            stop.set()

    day.seen = told
    began = time.monotonic()
    client = ServerClient("http://day", "x", stop, say=lambda _: None, transport=day.transport())
    settings = LearnerSettings(
        task=task, server_url="http://day", token="x", data_folder=data, seed=0
    )
    Learner(settings, client, stop).run()
    client.close()
    return ready[0] - began
