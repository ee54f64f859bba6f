"""What people are told of a policy that answers too late, or not at all."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from robot_rl.config import Task


class Silence:
    """How long the policy has not answered while it should drive. Said once; in the end it is given
    up.
    """

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self._task, self._say = task, say
        self._asked_ns: int | None = None
        self._since_ns = 0  # the policy should drive, and thinks of the same
        self._said = False

    def look(self, now_ns: int, asked_ns: int | None) -> str | None:
        """Why the episode ends, or None. asked_ns: when it was asked what it has not answered;
        None: it has, or it should not drive.
        """
        if asked_ns != self._asked_ns:
            self._asked_ns, self._since_ns, self._said = asked_ns, now_ns, False
        if asked_ns is None:
            return None
        silent_s = (now_ns - self._since_ns) * 1e-9
        answer_s = self._task.inference.answer_s
        if silent_s >= answer_s:
            return (
                f"The policy did not answer for {answer_s:g} s: give it a GPU or a smaller model, "
                "or start the daemon again if it hangs."
            )
        if silent_s > self._task.observation_age_s and not self._said:
            self._said = True
            since = datetime.now(UTC) - timedelta(seconds=silent_s)
            self._say(
                f"the policy has been thinking since {since:%H:%M:%S} UTC without an answer: the "
                f"robot holds, and after {answer_s:g} s the episode is ended"
            )
        return None


class LateAnswers:
    """Of one episode: says once that answers come too late to be followed."""

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self._task, self._say, self._said = task, say, False

    def look(self, actions: int, late_ns: int, took_s: float) -> None:
        """late_ns: since the observation on which so many actions were decided."""
        task = self._task
        over = late_ns - task.action_delay_ns >= actions * task.step_ns
        old = late_ns > task.observation_age_s * 1e9
        if self._said or not (over or old):
            return
        self._said = True
        if old:
            why = f"and control follows nothing that was seen {task.observation_age_s:g} s ago"
            mend = "a GPU or a smaller model lets it drive"
        else:
            why = f"and by then its {_counted(actions)} over"
            mend = "a GPU, a smaller model or a longer chunk lets it drive"
        self._say(f"the policy took {took_s * 1e3:.0f} ms, {why}: the robot holds; {mend}")


def _counted(actions: int) -> str:
    return "only action was" if actions == 1 else f"{actions} actions were"
