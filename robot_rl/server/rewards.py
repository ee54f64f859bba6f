"""The reward of an episode as the console shows it, by the rule that the learner applies too."""

from collections.abc import Sequence

from robot_rl.config.task import Task
from robot_rl.schema.episode import Outcome
from robot_rl.schema.step import Step
from robot_rl.schema.transition import (
    gripper_changes,
    orders_after,
    succeeds,
    transition_reward,
)


def shown_rewards(
    steps: Sequence[Step], task: Task, outcome: Outcome | None
) -> tuple[float | None, ...]:
    """Reward of each step's action, gripper penalty included; None for a record without action.

    steps: a whole episode's records, in order. outcome: the latest label. Where nobody can know yet
    whether the last step succeeded, its reward is shown as if it had not.
    """
    rule, columns = task.reward, task.action.gripper_columns
    last = max((i for i, step in enumerate(steps) if step.executed_action is not None), default=-1)
    standing = task.grippers_at_start
    rewards: list[float | None] = []
    for position, step in enumerate(steps):
        action = step.executed_action
        if action is None:
            rewards.append(None)
            continue
        after = steps[position + 1] if position + 1 < len(steps) else None
        success = succeeds(
            rule,
            last=position == last,
            evidence=after is not None and after.evidence.simulator_success is True,
            outcome=outcome,
        )
        orders = [action[column] for column in columns]
        changes = gripper_changes(orders, standing)
        standing = orders_after(orders, standing)
        reward = transition_reward(rule, success=success is True)
        rewards.append(reward + rule.gripper_change * changes)
    return tuple(rewards)
