"""Who virtual time waits for at the link: the clients that joined, and the learner. Pure."""

from dataclasses import dataclass, field
from uuid import UUID

from robot_rl.schema.policy import LearnerProgress

PATIENCE_S = 30.0  # wall time of silence after which nobody is waited for any longer
LONGEST_REST_NS = 1_000_000_000
"""A client is asked at least once a virtual second, whatever it said: it may be gone."""
START_PATIENCE_S = 180.0  # for the learner's first message: it loads, and may read old data first


@dataclass(slots=True)
class Turns:
    """The clients that joined lock-step, and which of them still owe an answer for this turn."""

    joined: dict[UUID, str] = field(default_factory=dict[UUID, str])  # client → user
    t_ns: int = -1
    _owing: set[UUID] = field(default_factory=set[UUID])
    _rests: dict[UUID, int] = field(default_factory=dict[UUID, int])  # until when, ns

    def join(self, client: UUID, user: str) -> None:
        """From the next turn on, virtual time waits for this client."""
        self.joined[client] = user

    def leave(self, client: UUID) -> None:
        self.joined.pop(client, None)
        self._owing.discard(client)

    def due(self, t_ns: int) -> bool:
        """Whether somebody needs a turn at `t_ns` though there is no news."""
        return any(self._rests.get(client, 0) <= t_ns for client in self.joined)

    def begin(self, t_ns: int) -> None:
        """A turn is everybody's, and ends the rest of all."""
        self.t_ns, self._owing = t_ns, set(self.joined)
        self._rests.clear()

    def ready(self, client: UUID, t_ns: int, next_t_ns: int | None = None) -> None:
        """An answer for another turn than this one says nothing."""
        if t_ns != self.t_ns:
            return
        self._owing.discard(client)
        if next_t_ns is not None:
            self._rests[client] = min(next_t_ns, t_ns + LONGEST_REST_NS)

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
class LearnerWatch:
    """What the learner said last, and whether it is still waited for.

    A learner that trains says so once a second: while anything of what it says changes, it is
    waited for. A learner that is silent, or that says the same, for `PATIENCE_S` is given up, and
    waited for again when it is next heard. `since_s` is wall time.
    """

    since_s: float
    progress: LearnerProgress | None = None
    given_up: bool = False

    @property
    def started(self) -> bool:
        """It is loaded, has learned from what it had, and has published what it starts from."""
        said = self.progress
        return said is not None and said.version is not None and not said.offline

    def hear(self, progress: LearnerProgress, now_s: float) -> None:
        before, self.progress = self.progress, progress
        if before is None or self.given_up or _position(before) != _position(progress):
            self.since_s, self.given_up = now_s, False

    def wait_from(self, now_s: float) -> None:
        """A wait begins: its patience counts from here."""
        self.since_s = now_s

    def silent(self, now_s: float) -> bool:
        """Whether the present wait has lasted too long without any news."""
        patience_s = PATIENCE_S if self.started else START_PATIENCE_S
        return now_s - self.since_s >= patience_s

    def give_up(self) -> None:
        self.given_up = True


def _position(progress: LearnerProgress) -> tuple[int, ...]:
    said = progress
    return said.env_steps, said.learner_step, said.feed_cursor, said.encoder_updates
