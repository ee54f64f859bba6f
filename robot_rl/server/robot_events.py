"""Storing the events that a robot records between its steps.

Each has an identity of its own, so that its second arrival changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    HandoverEnded,
    InterventionEnded,
    PolicyActivated,
    ResetEnded,
    RobotEvent,
    SafetyEvent,
)
from robot_rl.schema.feed import FeedEvent
from robot_rl.schema.live.client_update import InterventionTrained
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import PolicyStatus
from robot_rl.server import decisions, labels
from robot_rl.server.batch import Unstorable
from robot_rl.server.tables import (
    ActivationTable,
    Base,
    EpisodeTable,
    HandoverTable,
    InterventionTable,
    LabelTable,
    PolicyTable,
    ResetTable,
    RobotTable,
    RunTable,
    SafetyEventTable,
    TrainedInterventionTable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What else an event brings about."""

    task: str | None = None
    events: Sequence[FeedEvent] = ()
    activated: bool = False
    trained: Sequence[InterventionTrained] = ()


type CheckTask = Callable[[str], None]
"""Raises when the sender may not write data of the task."""


def any_task(_: str) -> None:
    """For what comes from the lab's own machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecorder:
    """Stores events of one robot within one transaction."""

    connection: Connection
    robot: str
    boot_epoch: UUID
    check_task: CheckTask = any_task

    def record(self, event: RobotEvent) -> Effect:
        """Raises Unstorable."""
        match event:
            case EpisodeStarted():
                return self._episode_started(event)
            case EpisodeEnded():
                return self._episode_ended(event)
            case InterventionEnded():
                return self._intervention_ended(event)
            case SafetyEvent():
                return self._of_the_robot(SafetyEventTable, event, ("code", "t_robot_ns"))
            case HandoverEnded():
                return self._of_the_robot(HandoverTable, event, ("before", "after", "t_robot_ns"))
            case ResetEnded():
                return self._of_the_robot(ResetTable, event, ("seed", "by", "ended_t_utc"))
            case PolicyActivated():
                return self._policy_activated(event)

    def _episode_started(self, event: EpisodeStarted) -> Effect:
        if event.robot != self.robot:
            raise Unstorable(f"an episode of {event.robot} came in a batch of {self.robot}")
        self.check_task(event.task)
        self._insert(
            RunTable,
            {
                "run_id": event.run_id,
                "robot": self.robot,
                "task": event.task,
                "started_t_utc": event.t_utc,
            },
            same=("robot",),
        )
        values = event.model_dump(exclude={"kind", "t_robot_ns", "t_utc"})
        values |= {
            "boot_epoch": self.boot_epoch,
            "started_t_robot_ns": event.t_robot_ns,
            "started_t_utc": event.t_utc,
            "cameras": list(event.cameras),
        }
        same = ("robot", "boot_epoch", "run_id", "task", "started_t_robot_ns")
        if not self._insert(EpisodeTable, values, same=same):
            return Effect()
        return Effect(task=event.task, events=(event,))

    def _of_the_robot(
        self,
        table: type[SafetyEventTable | HandoverTable | ResetTable],
        event: SafetyEvent | HandoverEnded | ResetEnded,
        same: Sequence[str],
    ) -> Effect:
        """An event that may be in an episode, and need not."""
        if event.episode_id is not None:
            self._task_of(event.episode_id)
        values = event.model_dump(exclude={"kind", "figures"}) | {"robot": self.robot}
        if isinstance(event, HandoverEnded):
            values |= event.figures.model_dump()
        self._insert(table, values, same=("robot", "episode_id", *same))
        return Effect()

    def _episode_ended(self, event: EpisodeEnded) -> Effect:
        task = self._task_of(event.episode_id)
        stored = self.connection.execute(
            select(
                *(EpisodeTable.stored_steps, EpisodeTable.ended_t_utc),
                *(EpisodeTable.ended_t_robot_ns, EpisodeTable.steps, EpisodeTable.cause),
            )
            .where(EpisodeTable.episode_id == event.episode_id)
            .with_for_update()
        ).one()
        if stored.ended_t_utc is not None:
            if (stored.ended_t_robot_ns, stored.steps, stored.cause) == (
                *(event.t_robot_ns, event.steps, event.cause),
            ):
                return Effect()
            raise Unstorable(
                f"episode {event.episode_id} has ended after {stored.steps} steps ({stored.cause}) "
                f"and another ending came, after {event.steps} ({event.cause})"
            )
        if stored.stored_steps < event.steps + 1:  # some were refused and set aside on the robot
            event = event.model_copy(update={"complete": False})
        # While the robot was away, somebody may have labelled what its episode ended with.
        later = labels.given_after(self.connection, event.episode_id, event.t_utc)
        standing = later or event
        self.connection.execute(
            update(EpisodeTable)
            .where(EpisodeTable.episode_id == event.episode_id)
            .values(
                steps=event.steps,
                human_steps=event.human_steps,
                cause=event.cause,
                labeller=event.labeller,
                classifier_success=event.classifier_success,
                complete=event.complete,
                ended_t_robot_ns=event.t_robot_ns,
                ended_t_utc=event.t_utc,
                outcome=standing.outcome,
                failure_class=standing.failure_class,
                note=standing.note,
            )
        )
        self.connection.execute(
            insert(LabelTable).values(
                label_id=new_id(),
                episode_id=event.episode_id,
                outcome=event.outcome,
                failure_class=event.failure_class,
                note=event.note,
                author=event.labeller,
                t_utc=event.t_utc,
            )
        )
        if later is None:
            return Effect(task=task, events=(event,))
        # Once more, after the ending: the learner goes by what comes last.
        return Effect(task=task, events=(event, labels.relabelled(event.episode_id, later)))

    def _intervention_ended(self, event: InterventionEnded) -> Effect:
        task = self._task_of(event.episode_id)
        decisions.lock(self.connection, event.intervention_id)
        same = ("episode_id", "operator", "first_index", "last_index", "ended_t_robot_ns")
        if not self._insert(InterventionTable, event.model_dump(exclude={"kind"}), same=same):
            return Effect()
        self.connection.execute(
            update(EpisodeTable)
            .where(EpisodeTable.episode_id == event.episode_id)
            .values(interventions=EpisodeTable.interventions + 1)
        )
        decided = decisions.latest(self.connection, event.intervention_id, event.episode_id)
        return Effect(task=task, events=(event,) if decided is None else (event, decided))

    def _policy_activated(self, event: PolicyActivated) -> Effect:
        if event.episode_id is not None:
            self._task_of(event.episode_id)
        known = self._task_of_policy(event)
        task = known or self._own_task(event)
        if task is not None:
            self.check_task(task)
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
            same=("version", "sha256"),
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
        """The task of an episode of this robot. Raises Unstorable."""
        query = select(EpisodeTable.task, EpisodeTable.robot)
        found = self.connection.execute(
            query.where(EpisodeTable.episode_id == episode_id)
        ).one_or_none()
        if found is None:
            raise Unstorable(f"an event of episode {episode_id} came before its start")
        if found.robot != self.robot:
            raise Unstorable(
                f"episode {episode_id} is of robot {found.robot}: {self.robot} may not add to it"
            )
        self.check_task(found.task)
        return found.task

    def _insert(self, table: type[Base], values: dict[str, Any], same: Sequence[str]) -> bool:
        """False when the row is there already, with the same values in the columns `same`.

        Raises Unstorable when it is there with others.
        """
        statement = upsert(table).values(values).on_conflict_do_nothing().returning(literal(1))
        if self.connection.execute(statement).first() is not None:
            return True
        key = {column.name: values[column.name] for column in table.__table__.primary_key}
        columns = (getattr(table, name) for name in same)
        here = self.connection.execute(select(*columns).filter_by(**key)).one()
        for name, stored in zip(same, here, strict=True):
            if stored != values[name]:
                raise Unstorable(
                    f"{table.__tablename__} holds another {', '.join(map(str, key.values()))}: its "
                    f"{name} is {stored} and {values[name]} came"
                )
        return False
