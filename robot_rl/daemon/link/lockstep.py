"""Who virtual time waits for at the link: the clients that joined, and the learner. Pure."""

from dataclasses import dataclass, field
from uuid import UUID

from robot_rl.schema.policy import LearnerProgress

PATIENCE_S = 30.0  # wall time after which nobody is waited for any longer
_IDLE_S = 2.0
_IDLE_MESSAGES = 3


@dataclass(slots=True)
class Turns:
    """The clients that joined lock-step, and which of them still owe an answer for this turn."""

    joined: dict[UUID, str] = field(default_factory=dict[UUID, str])  # client → user
    t_ns: int = -1
    _owing: set[UUID] = field(default_factory=set[UUID])

    def join(self, client: UUID, user: str) -> None:
        """From the next turn on, virtual time waits for this client."""
        self.joined[client] = user

    def leave(self, client: UUID) -> None:
        self.joined.pop(client, None)
        self._owing.discard(client)

    def begin(self, t_ns: int) -> None:
        self.t_ns, self._owing = t_ns, set(self.joined)

    def ready(self, client: UUID, t_ns: int) -> None:
        """An answer for another turn than this one says nothing."""
        if t_ns == self.t_ns:
            self._owing.discard(client)

    @property
    def owing(self) -> tuple[str, ...]:
        """Names of those who have not answered."""
        return tuple(sorted(self.joined[client] for client in self._owing))

    def drop_owing(self) -> tuple[str, ...]:
        """Wait no longer for those who have not answered; returns their names."""
        names = self.owing
        for client in tuple(self._owing):
            self.leave(client)
        return names


@dataclass(slots=True)
class LearnerLag:
    """How many acknowledged training steps the learner has not taken in yet.

    The learner counts from its own beginning, and may leave steps out that were recorded. So only
    differences count, and it is level whenever it says that it has more than we know of, or that
    it has been idle: three messages over two seconds in which nothing moved. A pause, or silence
    for half a minute, ends the waiting. Hence it cannot wait for ever.
    """

    limit: int
    _level: int | None = None  # acknowledged steps − env_steps when the learner was level
    _progress: LearnerProgress | None = None
    _moved_s: float = 0.0
    _same: int = 0
    _given_up: bool = False

    def hear(self, progress: LearnerProgress, acknowledged: int, now_s: float) -> None:
        """`acknowledged`: training steps the server acknowledged since the link started."""
        before, self._progress, self._given_up = self._progress, progress, False
        if before is None or _position(before) != _position(progress):
            self._moved_s, self._same = now_s, 0
        else:
            self._same += 1
        idle = self._same >= _IDLE_MESSAGES and now_s - self._moved_s >= _IDLE_S
        level = acknowledged - progress.env_steps
        if self._level is None or level < self._level or idle:
            self._level = level

    def behind(self, acknowledged: int) -> int:
        """Steps; before the learner was first heard, all of them."""
        if self._progress is None or self._level is None:
            return acknowledged
        return acknowledged - self._progress.env_steps - self._level

    def holds(self, acknowledged: int) -> bool:
        """Whether virtual time must wait for the learner."""
        if self._given_up or (self._progress is not None and self._progress.paused):
            return False
        return self.behind(acknowledged) >= self.limit

    def give_up(self) -> None:
        """It fell silent: nobody waits for it, and the next thing it says counts as its first."""
        self._level, self._progress, self._given_up = None, None, True


def _position(progress: LearnerProgress) -> tuple[int, int, int]:
    return progress.env_steps, progress.learner_step, progress.feed_cursor
