"""What a transition is worth, whether it can be sampled, and whether it is imitated: the rules of
robot_rl.schema.transition, applied to the rows of the replay as often as something new is known.
"""

import numpy as np

from robot_rl.config.task import Task
from robot_rl.learner.columns import HUMAN, NOTHING, PHASES
from robot_rl.learner.episodes import Episode, Intervention, Interventions
from robot_rl.learner.storage import Storage
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.transition import (
    demonstrates,
    drove_alone,
    gripper_changes,
    is_costly,
    is_over,
    shows,
    succeeds,
    transition_reward,
)
from safety.vocabulary import Source


class TransitionJudge:
    """Of one replay."""

    def __init__(self, task: Task, store: Storage, interventions: Interventions) -> None:
        self._rule, self._store, self._interventions = task.reward, store, interventions
        self._grippers = list(task.action.gripper_columns)
        self._grippers_at_start = task.grippers_at_start

    def derive(self, episode: Episode, index: int, row: int) -> bool:
        """Write into the store what a transition is worth. False: it cannot be sampled."""
        if episode.excluded or self._unusable(row):
            return False
        store, rule = self._store, self._rule
        columns, after = store.columns, int(store.next_row[row])
        last = self._is_last(episode, index, row, after)
        evidence = after != NOTHING and bool(columns["success"][after])
        success = succeeds(rule, last=last, evidence=evidence, outcome=episode.outcome)
        if success is None or (after == NOTHING and episode.outcome is None):
            return False
        goes_on = not success and not self._terminates(row, after)
        if goes_on and (after == NOTHING or not columns["seen"][after]):
            return False  # its worth depends on a moment that nobody saw
        store.reward[row] = transition_reward(rule, success=success)
        store.penalty[row] = rule.gripper_change * self._gripper_changes(episode, index)
        store.cost[row] = is_costly(
            int(columns["limits"][row]),
            last=last,
            outcome=episode.outcome,
            failure_class=episode.failure_class,
        )
        store.bootstrap[row] = float(goes_on)
        store.usable[row] = True
        store.shown[row] = self._is_shown(episode, row)
        return True

    def _unusable(self, row: int) -> bool:
        """Unseen, no action, discarded, or the task was done before it by the simulator's word."""
        columns, intervention = self._store.columns, self._intervention(row)
        discarded = intervention is not None and intervention.use is InterventionUse.DISCARD
        return bool(
            discarded
            or not columns["seen"][row]
            or np.isnan(columns["executed"][row, 0])
            or is_over(self._rule, evidence=bool(columns["success"][row]))
        )

    def _intervention(self, row: int) -> Intervention | None:
        number = int(self._store.intervention[row])
        return None if number == NOTHING else self._interventions[number]

    def _is_shown(self, episode: Episode, row: int) -> bool:
        columns, intervention = self._store.columns, self._intervention(row)
        if columns["source"][row] != HUMAN or np.isnan(columns["human"][row, 0]):
            return False
        phase = int(columns["phase"][row])
        return (
            demonstrates(demonstration=episode.demonstration, outcome=episode.outcome)
            and shows(
                Source.HUMAN,
                None if phase == NOTHING else PHASES[phase],
                demonstration=episode.demonstration,
                use=None if intervention is None else intervention.use,
                correction_steps=0 if intervention is None else intervention.correction_steps,
            )
            and drove_alone(columns["human"][row].tolist(), columns["executed"][row].tolist())
        )

    def _is_last(self, episode: Episode, index: int, row: int, after: int) -> bool:
        """Whether this is the episode's last transition."""
        if episode.steps is not None:
            return index == episode.steps - 1
        columns = self._store.columns
        flagged = columns["terminated"][row] or columns["truncated"][row]
        return bool(flagged or (after != NOTHING and np.isnan(columns["executed"][after, 0])))

    def _terminates(self, row: int, after: int) -> bool:
        """The flag may stand on the step that ended the episode or on the record after it."""
        columns = self._store.columns
        if columns["terminated"][row] or after == NOTHING:
            return bool(columns["terminated"][row])
        final = np.isnan(columns["executed"][after, 0])
        return bool(final and columns["terminated"][after])

    def _gripper_changes(self, episode: Episode, index: int) -> int:
        """How many grippers the step orders another way than the episode's last order."""
        executed = self._store.columns["executed"]
        orders = executed[episode.rows[index], self._grippers].tolist()
        standing = [0.0] * len(orders)
        for earlier in range(index - 1, -1, -1) if any(orders) else ():
            row = episode.rows.get(earlier)
            if row is None or np.isnan(executed[row, 0]):
                continue
            said = executed[row, self._grippers].tolist()
            standing = [old or new for old, new in zip(standing, said, strict=True)]
            if all(standing):
                break
        pairs = zip(standing, self._grippers_at_start, strict=True)
        return gripper_changes(orders, [order or start for order, start in pairs])
