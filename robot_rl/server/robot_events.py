"""Storing the events that a robot records between its steps.

Each has an identity of its own, so that its second arrival changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    PolicyActivated,
    ResetEnded,
    RobotEvent,
    SafetyEvent,
)
from robot_rl.schema.feed import FeedEvent
from robot_rl.schema.live import InterventionTrained
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import PolicyStatus
from robot_rl.server import decisions
from robot_rl.server.tables import (
    ActivationTable,
    Base,
    EpisodeTable,
    InterventionTable,
    LabelTable,
    PolicyTable,
    ResetTable,
    RobotTable,
    RunTable,
    SafetyEventTable,
    TrainedInterventionTable,
)


class BadEvent(ValueError):
    """An event that cannot be stored: one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What else an event brings about."""

    task: str | None = None
    events: Sequence[FeedEvent] = ()
    activated: bool = False
    trained: Sequence[InterventionTrained] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecorder:
    """Stores events of one robot within one transaction."""

    connection: Connection
    robot: str
    boot_epoch: UUID

    def record(self, event: RobotEvent) -> Effect:
        """Raises BadEvent."""
        match event:
            case EpisodeStarted():
                return self._episode_started(event)
            case EpisodeEnded():
                return self._episode_ended(event)
            case InterventionEnded():
                return self._intervention_ended(event)
            case SafetyEvent():
                self._insert(
                    SafetyEventTable, event.model_dump(exclude={"kind"}) | {"robot": self.robot}
                )
                return Effect()
            case ResetEnded():
                self._insert(ResetTable, event.model_dump(exclude={"kind"}) | {"robot": self.robot})
                return Effect()
            case PolicyActivated():
                return self._policy_activated(event)

    def _episode_started(self, event: EpisodeStarted) -> Effect:
        if event.robot != self.robot:
            raise BadEvent(f"an episode of {event.robot} came in a batch of {self.robot}")
        self._insert(
            RunTable,
            {
                "run_id": event.run_id,
                "robot": self.robot,
                "task": event.task,
                "started_t_utc": event.t_utc,
            },
        )
        values = event.model_dump(exclude={"kind", "t_robot_ns", "t_utc"})
        values |= {
            "boot_epoch": self.boot_epoch,
            "started_t_robot_ns": event.t_robot_ns,
            "started_t_utc": event.t_utc,
            "cameras": list(event.cameras),
        }
        if not self._insert(EpisodeTable, values):
            return Effect()
        return Effect(task=event.task, events=(event,))

    def _episode_ended(self, event: EpisodeEnded) -> Effect:
        task = self._task_of(event.episode_id)
        changed = self.connection.execute(
            update(EpisodeTable)
            .where(EpisodeTable.episode_id == event.episode_id, EpisodeTable.ended_t_utc.is_(None))
            .values(
                steps=event.steps,
                human_steps=event.human_steps,
                cause=event.cause,
                labeller=event.labeller,
                complete=event.complete,
                ended_t_robot_ns=event.t_robot_ns,
                ended_t_utc=event.t_utc,
                outcome=event.outcome,
                failure_class=event.failure_class,
                note=event.note,
            )
        )
        if not changed.rowcount:
            return Effect()
        self._insert(
            LabelTable,
            {
                "label_id": new_id(),
                "episode_id": event.episode_id,
                "outcome": event.outcome,
                "failure_class": event.failure_class,
                "note": event.note,
                "author": event.labeller,
                "t_utc": event.t_utc,
            },
        )
        return Effect(task=task, events=(event,))

    def _intervention_ended(self, event: InterventionEnded) -> Effect:
        task = self._task_of(event.episode_id)
        decisions.lock(self.connection, event.intervention_id)
        if not self._insert(InterventionTable, event.model_dump(exclude={"kind"})):
            return Effect()
        self.connection.execute(
            update(EpisodeTable)
            .where(EpisodeTable.episode_id == event.episode_id)
            .values(interventions=EpisodeTable.interventions + 1)
        )
        decided = decisions.latest(self.connection, event.intervention_id, event.episode_id)
        return Effect(task=task, events=(event,) if decided is None else (event, decided))

    def _policy_activated(self, event: PolicyActivated) -> Effect:
        known = self._task_of_policy(event)
        task = known or self._own_task(event)
        new = self._insert(
            ActivationTable,
            {
                "robot": self.robot,
                "boot_epoch": self.boot_epoch,
                "t_robot_ns": event.t_robot_ns,
                "task": task,
                "version": event.version,
                "sha256": event.sha256,
                "episode_id": event.episode_id,
                "t_utc": event.t_utc,
            },
        )
        if not new or task is None:
            return Effect()
        self._retire_active(task)
        if known is None:  # of no policy that is here are corrections acting now
            return Effect(task=task, activated=True)
        self._mark_active(task, event.version)
        return Effect(task=task, activated=True, trained=self._now_acting(task, event))

    def _task_of_policy(self, event: PolicyActivated) -> str | None:
        """None for a policy that never was on this server, as the one that a robot starts with."""
        query = select(PolicyTable.task).where(
            PolicyTable.sha256 == event.sha256, PolicyTable.version == event.version
        )
        return self.connection.execute(query).scalars().first()

    def _own_task(self, event: PolicyActivated) -> str | None:
        """What the robot works on, as its episode says, or as it said when it connected."""
        of_episode = select(EpisodeTable.task).where(EpisodeTable.episode_id == event.episode_id)
        of_robot = select(RobotTable.task).where(RobotTable.name == self.robot)
        found = self.connection.execute(of_episode).scalar_one_or_none()
        return found or self.connection.execute(of_robot).scalar_one_or_none()

    def _retire_active(self, task: str) -> None:
        """One policy of a task acts at a time, or none when a robot runs what it started with."""
        self.connection.execute(
            update(PolicyTable)
            .where(PolicyTable.task == task, PolicyTable.status == PolicyStatus.ACTIVE)
            .values(status=PolicyStatus.SUPERSEDED)
        )

    def _mark_active(self, task: str, version: int) -> None:
        self.connection.execute(
            update(PolicyTable)
            .where(
                PolicyTable.task == task,
                PolicyTable.status == PolicyStatus.CANDIDATE,
                PolicyTable.version < version,
            )
            .values(status=PolicyStatus.SUPERSEDED)
        )
        self.connection.execute(
            update(PolicyTable)
            .where(
                PolicyTable.task == task,
                PolicyTable.version == version,
                PolicyTable.status
                != PolicyStatus.REJECTED,  # an activation may come after a rejection
            )
            .values(status=PolicyStatus.ACTIVE)
        )

    def _now_acting(self, task: str, event: PolicyActivated) -> list[InterventionTrained]:
        """Interventions in this version, or in one it follows, that act from now on."""
        rows = self.connection.execute(
            select(
                InterventionTable.intervention_id,
                InterventionTable.operator,
                InterventionTable.ended_t_robot_ns,
                InterventionTable.ended_t_utc,
                EpisodeTable.robot,
                EpisodeTable.boot_epoch,
            )
            .join(
                TrainedInterventionTable,
                TrainedInterventionTable.intervention_id == InterventionTable.intervention_id,
            )
            .join(EpisodeTable, EpisodeTable.episode_id == InterventionTable.episode_id)
            .where(
                TrainedInterventionTable.task == task,
                TrainedInterventionTable.version <= event.version,
                TrainedInterventionTable.acting_version.is_(None),
            )
            .order_by(InterventionTable.ended_t_utc)
        ).all()
        acting: list[InterventionTrained] = []
        for row in rows:
            same_clock = row.robot == self.robot and row.boot_epoch == self.boot_epoch
            latency_s = (
                (event.t_robot_ns - row.ended_t_robot_ns) / 1e9
                if same_clock
                else (event.t_utc - row.ended_t_utc).total_seconds()
            )
            self.connection.execute(
                update(TrainedInterventionTable)
                .where(TrainedInterventionTable.intervention_id == row.intervention_id)
                .values(
                    acting_version=event.version,
                    acting_t_robot_ns=event.t_robot_ns,
                    acting_t_utc=event.t_utc,
                    latency_s=latency_s,
                )
            )
            acting.append(
                InterventionTrained(
                    intervention_id=row.intervention_id,
                    operator=row.operator,
                    version=event.version,
                    released_t_ns=row.ended_t_robot_ns,
                    acting_t_ns=event.t_robot_ns,
                    latency_s=latency_s,
                )
            )
        return acting

    def _task_of(self, episode_id: UUID) -> str:
        query = select(EpisodeTable.task).where(EpisodeTable.episode_id == episode_id)
        task = self.connection.execute(query).scalar_one_or_none()
        if task is None:
            raise BadEvent(f"an event of episode {episode_id} came before its start")
        return task

    def _insert(self, table: type[Base], values: dict[str, Any]) -> bool:
        """False when the row is there already."""
        statement = upsert(table).values(values).on_conflict_do_nothing().returning(literal(1))
        return self.connection.execute(statement).first() is not None
