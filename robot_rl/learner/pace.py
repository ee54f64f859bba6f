"""When a new version is due: after so much time or, in lock-step, after so many steps."""

import math
import time
from collections import deque

from robot_rl.config.task import Task

_SPEED_UPDATES = 200  # over which the shown rate is taken
_RATE_STANDS_S = 2.0  # without an update the shown rate is 0 after this


class PublishingPace:
    """Sooner when a correction has entered training: the person who gave it is watching."""

    def __init__(self, task: Task, *, lockstep: bool) -> None:
        self._settings, self._step_s, self._lockstep = task.learner, task.step_s, lockstep
        self.env_steps = 0  # at the newest version, or at one that was refused since
        self._at = self._tried_at = time.monotonic()

    @property
    def age_s(self) -> float:
        """Since the newest version."""
        return time.monotonic() - self._at

    def is_due(self, env_steps: int, *, correction: bool) -> bool:
        """`correction`: one that no version contains has been trained on."""
        settings = self._settings
        if env_steps == self.env_steps and not correction:
            return False
        if self._lockstep:
            sooner = math.ceil(settings.publish_correction_s / self._step_s)
            every = sooner if correction else settings.publish_every_steps
            return env_steps - self.env_steps >= min(every, settings.publish_every_steps)
        every_s = settings.publish_correction_s if correction else settings.publish_every_s
        return time.monotonic() - self._tried_at >= min(every_s, settings.publish_every_s)

    def published(self, env_steps: int) -> None:
        self.refused(env_steps)
        self._at = self._tried_at

    def refused(self, env_steps: int) -> None:
        """The next candidate is due as if this one had been published."""
        self.env_steps, self._tried_at = env_steps, time.monotonic()


class UpdateRate:
    """Updates per second, as the console shows it."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=_SPEED_UPDATES)

    def note(self) -> None:
        self._at.append(time.monotonic())

    @property
    def per_s(self) -> float:
        at = self._at
        if len(at) < 2 or time.monotonic() - at[-1] > _RATE_STANDS_S or at[-1] <= at[0]:
            return 0.0
        return (len(at) - 1) / (at[-1] - at[0])
