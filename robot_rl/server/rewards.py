"""The reward of an episode as the console shows it, by the rule that the learner applies too."""

from collections.abc import Sequence

from robot_rl.config.task import Task
from robot_rl.schema.episode import Outcome
from robot_rl.schema.step import Step

_START_ORDER = {"open": 1.0, "closed": -1.0, "keep": 0.0}


def shown_rewards(
    steps: Sequence[Step], task: Task, outcome: Outcome | None
) -> tuple[float | None, ...]:
    """Reward of each step's action, gripper penalty included; None for a record without action.

    steps: a whole episode's records, in order. outcome: the latest label, which outweighs what the
    simulator saw. Success pays on the last transition; without a label, where the simulator saw it.
    """
    rule = task.reward
    last = max((i for i, step in enumerate(steps) if step.executed_action is not None), default=-1)
    grippers = task.action.gripper_columns
    orders = dict.fromkeys(grippers, _START_ORDER[task.reset.gripper])
    rewards: list[float | None] = []
    for position, step in enumerate(steps):
        if step.executed_action is None:
            rewards.append(None)
            continue
        after = steps[position + 1] if position + 1 < len(steps) else None
        if outcome is not None:
            success = outcome is Outcome.SUCCESS and position == last
        else:
            seen = after is not None and after.evidence.simulator_success is True
            success = rule.source == "simulator" and seen
        said = {column: step.executed_action[column] for column in grippers}
        new = {
            column: order for column, order in said.items() if order not in (0.0, orders[column])
        }
        orders |= new
        rewards.append(rule.step + rule.success * success + rule.gripper_change * len(new))
    return tuple(rewards)
