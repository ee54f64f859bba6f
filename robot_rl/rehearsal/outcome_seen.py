"""What the scripted person says of how an episode ended, and when. Pure.

Where the reward is the operator's word, nobody else ends an episode as done: the person sees it,
and presses a key a reaction later.
"""

from dataclasses import dataclass, replace
from typing import Self

from robot_rl.schema.episode import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSeen:
    """Of one episode. Times are of the robot's clock.

    mistaken: the person presses the wrong key in this episode, whatever they saw.
    done_t_s: when they first saw the task done. over_t_s: when they saw that the robot had ended
    the episode, as at its limit of steps.
    """

    mistaken: bool = False
    done_t_s: float | None = None
    over_t_s: float | None = None

    def seeing(self, t_s: float, *, done: bool, over: bool) -> Self:
        """After a look at the scene."""
        found = self
        if done and found.done_t_s is None:
            found = replace(found, done_t_s=t_s)
        if over and found.over_t_s is None:
            found = replace(found, over_t_s=t_s)
        return found

    @property
    def done(self) -> bool:
        return self.done_t_s is not None

    def label(self, t_s: float, reaction_s: float) -> Outcome | None:
        """The key that is pressed now; None: none yet."""
        since = [seen for seen in (self.done_t_s, self.over_t_s) if seen is not None]
        if not since or t_s - min(since) < reaction_s:
            return None
        return Outcome.SUCCESS if self.done is not self.mistaken else Outcome.FAILURE
