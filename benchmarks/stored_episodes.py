"""Episodes as a lab would have recorded them, with what people said of them, from a seed."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from benchmarks.recording import AT_REST
from benchmarks.stored_rows import Rows, made_id
from robot_rl.config import load_task
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Outcome,
    Provenance,
    Purpose,
    RiskEvent,
)
from robot_rl.schema.feed import Relabelled
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.segment import RecordedStep, encode_segment
from robot_rl.schema.step import FrameStamp, Step
from robot_rl.schema.transition import CLASSIFIER
from robot_rl.server.blobs import BlobStore
from safety.vocabulary import Source

SEGMENT_STEPS = 5
BEGIN = datetime(2025, 6, 1, 6, tzinfo=UTC)
APART = timedelta(seconds=345.6)  # two episodes, 250 a day
RUN_EPISODES = 200
VERSIONS = 600  # of each task, over all episodes
RUNNING = 8  # the newest have not ended
WITH_PICTURES, PICTURES_APART = 24, 25  # so many episodes' segments have bytes, or one in so many
CAMERAS = ("front", "wrist")
OPERATORS = ("ada", "bea", "carl", "dora", "emil", "fay")
DEVICES = ("spacemouse", "gamepad", "keyboard")
TASKS = ("lift_cube", "insert_peg", "gym_pick_cube")
ROBOTS: Mapping[str, str] = {
    "panda_1": "lift_cube", "panda_2": "lift_cube", "panda_3": "lift_cube", "panda_4": "lift_cube",
    "ur5_1": "insert_peg", "ur5_2": "insert_peg", "ur5_3": "insert_peg", "sim_1": "gym_pick_cube",
}  # fmt: skip
WORDS = (
    "gripper", "slipped", "camera", "glare", "cube", "moved", "early", "late", "jammed", "table",
    "cable", "caught", "wrist", "blurred", "lighting", "changed", "peg", "tilted", "recovered",
    "retry", "nudged", "edge", "rotated", "slow", "approach", "overshoot", "contact", "force",
    "dropped", "again", "second", "attempt", "clean", "shadow", "occluded", "calibration", "drift",
    "reset", "wrong", "pose", "operator", "corrected", "height", "regrasp", "stuck", "bumped",
)  # fmt: skip
PROVENANCE = Provenance(
    cell_sha256="c" * 64, task_sha256="a" * 64, calibration_sha256="0" * 64, code_version="0.1"
)
_TASKS = {name: load_task(name) for name in TASKS}


def newest_version(number: int, episodes: int) -> int:
    """Of its task, when this episode began."""
    return 1 + number * (VERSIONS - 1) // max(1, episodes - 1)


def has_pictures(number: int, episodes: int) -> bool:
    """Spread over all."""
    return (number + RUNNING) % max(PICTURES_APART, episodes // WITH_PICTURES) == 0


@dataclass(slots=True, kw_only=True)
class Maker:
    """Makes the episodes of one transaction, out of `episodes` in all."""

    rng: random.Random
    rows: Rows
    episodes: int
    blobs: BlobStore
    pictures: list[bytes]
    _runs: set[UUID] = field(default_factory=set[UUID])

    def episode(self, number: int) -> None:
        rng, rows = self.rng, self.rows
        robot = rng.choice(tuple(ROBOTS))
        task, t_utc = _TASKS[ROBOTS[robot]], BEGIN + APART * number
        purpose = rng.choices(tuple(Purpose), (80, 12, 8))[0]
        run_id = made_id(random.Random(f"{robot} {number // RUN_EPISODES}"), BEGIN)
        started = EpisodeStarted(
            episode_id=made_id(rng, t_utc), run_id=run_id, robot=robot, task=task.name,
            instruction=task.instruction, purpose=purpose, seed=number, step_s=0.1,
            cameras=CAMERAS, joints=7, operator=rng.choice(OPERATORS), provenance=PROVENANCE,
            t_robot_ns=number * 10**11, t_utc=t_utc,
        )  # fmt: skip
        if run_id not in self._runs:
            self._runs.add(run_id)
            rows.add("runs", run_id=run_id, robot=robot, task=task.name, started_t_utc=t_utc)
        steps = min(400, max(30, int(rng.lognormvariate(4.65, 0.35))))
        has_ended = number < self.episodes - RUNNING and rng.random() > 0.002
        helped = rng.choices((0, 1, 2, 3), (60, 25, 10, 5))[0] if has_ended else 0
        takeovers = [self._takeover(started, steps, at, helped) for at in range(helped)]
        human_steps = sum(each.last_index - each.first_index + 1 for each in takeovers)
        ended = self._ended(started, steps, human_steps) if has_ended else None
        self._row(started, ended, steps, takeovers)
        rows.say(task.name, started, t_utc)
        self._segments(started, steps + 1, with_bytes=has_pictures(number, self.episodes))
        for each in takeovers:
            rows.add("interventions", **each.model_dump(exclude={"kind"}))
            rows.say(task.name, each, each.ended_t_utc)
            self._around(started, each)
        self._safety(started)
        if ended is not None:
            rows.say(task.name, ended, ended.t_utc)
            self._said(started, ended)

    def _row(
        self,
        started: EpisodeStarted,
        ended: EpisodeEnded | None,
        steps: int,
        takeovers: list[InterventionEnded],
    ) -> None:
        rng = self.rng
        newest = newest_version(started.seed, self.episodes)
        first = max(1, newest - (rng.randrange(4) if started.purpose is Purpose.TRAINING else 0))
        acted = list(range(first, newest + 1))
        if started.purpose is Purpose.DEMONSTRATION:
            acted = []
        self.rows.add(
            "episodes",
            **started.model_dump(exclude={"kind", "t_robot_ns", "t_utc", "provenance", "cameras"}),
            provenance=Jsonb(PROVENANCE.model_dump(mode="json")), boot_epoch=started.run_id,
            cameras=list(CAMERAS), started_t_robot_ns=started.t_robot_ns,
            started_t_utc=started.t_utc,
            stored_steps=steps + 1, trainable_steps=steps,
            human_steps=ended.human_steps if ended else 0, interventions=len(takeovers),
            policy_versions=acted, policy_version=acted[-1] if acted else None,
            risk_max=rng.random() if rng.random() < 0.6 else None,
            limit_profiles=["guarded"] if rng.random() < 0.1 else [],
            last_t_robot_ns=started.t_robot_ns + steps * 10**8, action_columns=7,
            steps=ended.steps if ended else None, cause=ended.cause if ended else None,
            labeller=ended.labeller if ended else None, complete=ended.complete if ended else None,
            ended_t_robot_ns=ended.t_robot_ns if ended else None,
            ended_t_utc=ended.t_utc if ended else None,
            classifier_success=ended.classifier_success if ended else None,
            outcome=ended.outcome if ended else None,
            failure_class=ended.failure_class if ended else None,
            note=ended.note if ended else "", excluded=ended is not None and rng.random() < 0.02,
        )  # fmt: skip

    def _takeover(
        self, started: EpisodeStarted, steps: int, at: int, helped: int
    ) -> InterventionEnded:
        """One after the other, each in its part of the episode."""
        rng, part = self.rng, steps // helped
        first = at * part + rng.randrange(1, max(2, part // 2))
        last = min(steps - 1, first + rng.randrange(2, max(3, part // 3)))
        begin = started.t_utc + timedelta(seconds=first * started.step_s)
        return InterventionEnded(
            intervention_id=made_id(rng, begin), episode_id=started.episode_id,
            operator=rng.choice(OPERATORS), device=rng.choice(DEVICES), reason="",
            first_index=first, last_index=last,
            correction_steps=rng.randrange(last - first + 2), started_t_utc=begin,
            ended_t_utc=started.t_utc + timedelta(seconds=(last + 1) * started.step_s),
            ended_t_robot_ns=started.t_robot_ns + (last + 1) * 10**8,
        )  # fmt: skip

    def _ended(self, started: EpisodeStarted, steps: int, human_steps: int) -> EpisodeEnded:
        rng = self.rng
        better = 0.35 + 0.55 * started.seed / self.episodes
        outcome = Outcome.SUCCESS if rng.random() < better else Outcome.FAILURE
        outcome = Outcome.ABORTED if rng.random() < 0.05 else outcome
        failed = outcome is Outcome.FAILURE
        judged = rng.random() < 0.3
        return EpisodeEnded(
            episode_id=started.episode_id, outcome=outcome,
            cause="" if outcome is Outcome.SUCCESS else f"{' '.join(rng.sample(WORDS, 2))}",
            labeller=CLASSIFIER if judged and rng.random() < 0.3 else rng.choice(OPERATORS),
            steps=steps, human_steps=human_steps,
            failure_class=rng.choice(_TASKS[started.task].failure_classes) if failed else None,
            note=" ".join(rng.sample(WORDS, rng.randrange(3, 9))) if rng.random() < 0.2 else "",
            complete=rng.random() < 0.995,
            classifier_success=(outcome is Outcome.SUCCESS) != (rng.random() < 0.05)
            if judged
            else None,
            t_robot_ns=started.t_robot_ns + (steps + 1) * 10**8,
            t_utc=started.t_utc + timedelta(seconds=(steps + 1) * started.step_s),
        )  # fmt: skip

    def _segments(self, started: EpisodeStarted, records: int, *, with_bytes: bool) -> None:
        rng = self.rng
        for first in range(0, records, SEGMENT_STEPS):
            count = min(SEGMENT_STEPS, records - first)
            t_utc = started.t_utc + timedelta(seconds=(first + count) * started.step_s)
            sha256, size = f"{rng.getrandbits(256):064x}", 270_000
            if with_bytes:
                data = self._bytes(started, range(first, first + count), last=records - 1)
                sha256, size = self.blobs.put(data), len(data)
            segment_id = made_id(rng, t_utc)
            self.rows.add(
                "segments", segment_id=segment_id, episode_id=started.episode_id,
                first_index=first, count=count, sha256=sha256, size_bytes=size, stored_t_utc=t_utc,
            )  # fmt: skip
            self.rows.say(  # as SegmentStored writes it: most of the feed is of these
                started.task,
                f'{{"kind":"segment_stored","segment_id":"{segment_id}","episode_id":'
                f'"{started.episode_id}","first_index":{first},"count":{count},"sha256":"{sha256}"}}',
                t_utc,
            )

    def _bytes(self, started: EpisodeStarted, indices: range, *, last: int) -> bytes:
        records: list[RecordedStep] = []
        for index in indices:
            t_ns = started.t_robot_ns + index * 10**8
            action = None if index == last else (0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            step = Step(
                episode_id=started.episode_id, index=index, t_robot_ns=t_ns,
                t_utc=started.t_utc + timedelta(seconds=index * started.step_s),
                arms={"arm": AT_REST}, proposed_action=action, executed_action=action,
                frames={name: FrameStamp(number=index, capture_ns=t_ns) for name in CAMERAS},
                source=Source.HOLD if action is None else Source.POLICY,
                policy_version=None if action is None else 1,
            )  # fmt: skip
            shown = [self.pictures[(index + at) % len(self.pictures)] for at in range(2)]
            records.append(RecordedStep(step=step, images=dict(zip(CAMERAS, shown, strict=True))))
        return encode_segment(records)

    def _around(self, started: EpisodeStarted, takeover: InterventionEnded) -> None:
        """What else belongs to a takeover: handovers, what it is for, the version it trained."""
        rng, rows = self.rng, self.rows
        for before, after in ((Source.POLICY, Source.HUMAN), (Source.HUMAN, Source.POLICY)):
            rows.add(
                "handovers", handover_id=made_id(rng, takeover.started_t_utc), robot=started.robot,
                episode_id=started.episode_id, arm="arm", before=before, after=after, jump_m=1e-5,
                jump_rad=1e-5, jerk_m_s3=1.0, torque_step_nm_ms=0.1, force_before_n=1.0,
                force_n=2.0, t_robot_ns=takeover.ended_t_robot_ns, t_utc=takeover.started_t_utc,
            )  # fmt: skip
        if rng.random() < 0.1:
            rows.add(
                "intervention_decisions", decision_id=made_id(rng, takeover.ended_t_utc),
                intervention_id=takeover.intervention_id, episode_id=started.episode_id,
                use=InterventionUse.DISCARD, by_default=False, author=takeover.operator,
                t_utc=takeover.ended_t_utc,
            )  # fmt: skip
        version = min(VERSIONS, newest_version(started.seed, self.episodes) + 1)
        rows.add(
            "trained_interventions", intervention_id=takeover.intervention_id, task=started.task,
            version=version, acting_version=version, acting_t_robot_ns=takeover.ended_t_robot_ns,
            acting_t_utc=takeover.ended_t_utc, latency_s=rng.lognormvariate(0.0, 0.5),
        )  # fmt: skip

    def _safety(self, started: EpisodeStarted) -> None:
        rng = self.rng
        for _ in range(rng.choices((0, 1, 2), (85, 12, 3))[0]):
            self.rows.add(
                "safety_events", event_id=made_id(rng, started.t_utc), robot=started.robot,
                episode_id=started.episode_id, code=rng.choice((*RiskEvent, "reject", "stop")),
                cause="", by="robot", t_robot_ns=started.t_robot_ns, t_utc=started.t_utc,
            )  # fmt: skip

    def _said(self, started: EpisodeStarted, ended: EpisodeEnded) -> None:
        """The label that ended it; some people labelled again, or marked a range of steps."""
        rng, rows = self.rng, self.rows
        label = {
            "episode_id": started.episode_id, "outcome": ended.outcome,
            "failure_class": ended.failure_class, "note": ended.note,
        }  # fmt: skip
        again = rng.random() < 0.05
        for author in (ended.labeller, *OPERATORS[:again]):
            rows.add(
                "labels",
                label_id=made_id(rng, ended.t_utc),
                author=author,
                t_utc=ended.t_utc,
                **label,
            )
        if again:
            relabelled = Relabelled(
                episode_id=started.episode_id, outcome=ended.outcome, author=OPERATORS[0],
                t_utc=ended.t_utc,
            )  # fmt: skip
            rows.say(started.task, relabelled, ended.t_utc)
        if rng.random() < 0.05:
            rows.add(
                "annotations", annotation_id=made_id(rng, ended.t_utc),
                episode_id=started.episode_id, first_index=3, last_index=9, failure_class=None,
                text=" ".join(rng.sample(WORDS, 4)), shows_success=None, author=OPERATORS[1],
                t_utc=ended.t_utc,
            )  # fmt: skip


def content_sha256(name: str) -> str:
    """Of a file that nobody reads."""
    return hashlib.sha256(name.encode()).hexdigest()
