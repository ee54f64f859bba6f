"""What the actor keeps for good besides steps: one durable event for each thing that happened."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from robot_rl.config import Task
from robot_rl.daemon.actor.episode_events import Conclude, Plan
from robot_rl.daemon.actor.policy import Loaded
from robot_rl.daemon.actor.ports import ActorPorts
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    HandoverEnded,
    HandoverFigures,
    InterventionEnded,
    PolicyActivated,
    Provenance,
    ResetEnded,
    RobotEvent,
    SafetyEvent,
)
from robot_rl.schema.message import new_id, storable, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every episode of this daemon carries."""

    robot: str
    run_id: UUID
    provenance: Provenance
    root_seed: int
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """An episode that is over, and the robot time in which it ran."""

    episode_id: UUID
    from_ns: int
    until_ns: int


class EventLog:
    """State: the running episode and the one before it, the one to be cleared away, and when the
    reset began.
    """

    def __init__(self, task: Task, identity: Identity, ports: ActorPorts) -> None:
        self._task, self._identity, self._ports = task, identity, ports
        self._running: UUID | None = None
        self._started_ns = 0
        self._past: _Past | None = None
        self._to_clear: UUID | None = None
        self._reset_t_utc: datetime | None = None

    def started(self, plan: Plan, *, operator: str, joints: int, now_ns: int) -> None:
        task, identity = self._task, self._identity
        self._running, self._started_ns = plan.episode_id, now_ns
        self._append(
            EpisodeStarted(
                episode_id=plan.episode_id,
                run_id=identity.run_id,
                robot=identity.robot,
                task=task.name,
                instruction=task.instruction,
                purpose=plan.purpose,
                seed=plan.seed,
                step_s=task.step_s,
                cameras=task.cameras,
                joints=joints,
                operator=operator,
                provenance=identity.provenance,
                t_robot_ns=now_ns,
                t_utc=utc_now(),
            )
        )

    def recorded(self) -> None:
        """The last record of the running episode is written: what follows is not part of it."""
        assert self._running is not None
        self._past = _Past(
            episode_id=self._running, from_ns=self._started_ns, until_ns=self._ports.now_ns()
        )
        self._to_clear, self._running = self._running, None

    def ended(self, done: Conclude, *, whole: bool) -> None:
        """The outcome is known. `whole`: every step and the record after the last one are there."""
        ending, episode_id = done.ending, done.plan.episode_id
        assert ending.outcome is not None
        self._append(
            EpisodeEnded(
                episode_id=episode_id,
                outcome=ending.outcome,
                cause=storable(ending.cause),
                labeller=ending.labeller,
                steps=done.steps,
                human_steps=done.human_steps,
                failure_class=ending.failure_class,
                note=ending.note,
                classifier_success=done.classifier_success,
                complete=whole and not self._ports.outbox.damaged(episode_id),
                t_robot_ns=self._ports.now_ns(),
                t_utc=utc_now(),
            )
        )

    def intervention(self, ended: InterventionEnded) -> None:
        self._append(ended)

    def acts(self, loaded: Loaded) -> None:
        """A version decided for the first time since another one did, and the robot follows it."""
        self._append(
            PolicyActivated(
                version=loaded.version,
                sha256=loaded.sha256,
                episode_id=self._running,
                t_robot_ns=self._ports.now_ns(),
                t_utc=utc_now(),
            )
        )

    def safety(self, code: str, cause: str, by: str, t_ns: int | None = None) -> None:
        """`t_ns`: when it happened, which may be before the episode that runs now; None: now."""
        t_ns = self._ports.now_ns() if t_ns is None else t_ns
        self._append(
            SafetyEvent(
                event_id=new_id(),
                episode_id=self._episode_at(t_ns),
                code=code,
                cause=storable(cause),
                by=by,
                t_robot_ns=t_ns,
                t_utc=utc_now(),
            )
        )

    def handover(self, figures: HandoverFigures, t_ns: int) -> None:
        """Who moved an arm changed at robot time `t_ns`. Its account comes later, perhaps after the
        end of the episode in which that was.
        """
        self._append(
            HandoverEnded(
                handover_id=new_id(),
                episode_id=self._episode_at(t_ns),
                figures=figures,
                t_robot_ns=t_ns,
                t_utc=utc_now(),
            )
        )

    def reset_begins(self) -> None:
        self._reset_t_utc = utc_now()

    def scene_ready(self, seed: int, by: str) -> None:
        """The reset is over and succeeded."""
        now = utc_now()
        self._append(
            ResetEnded(
                reset_id=new_id(),
                episode_id=self._to_clear,
                seed=seed,
                by=by,
                started_t_utc=self._reset_t_utc or now,
                ended_t_utc=now,
            )
        )
        self._to_clear = None

    def _episode_at(self, t_ns: int) -> UUID | None:
        """The one that ran at that robot time, of the newest two."""
        if self._running is not None and t_ns >= self._started_ns:
            return self._running
        past = self._past
        if past is not None and past.from_ns <= t_ns <= past.until_ns:
            return past.episode_id
        return None

    def _append(self, event: RobotEvent) -> None:
        self._ports.outbox.append_event(event)
