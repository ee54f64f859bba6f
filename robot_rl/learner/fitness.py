"""Is a head fit to act? Judged on recorded states before it is published, against the head that was
published last (its parent), by the same critics.

The states are a fixed sample of the replay: of the steps that it holds, those whose numbers have
the smallest hashes (bottom-k sampling). The sample is a function of what was recorded: it is the
same after a restart, changes slowly as the replay grows, and no generator that training draws from
is touched. The algorithm trains on these steps too: what is judged is whether a version is broken,
not how well it generalises; evaluations are for that.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from robot_rl.config.fitness import FitnessSection
from robot_rl.learner.algorithm import Algorithm
from robot_rl.learner.derived import decided
from robot_rl.learner.replay import Replay
from robot_rl.policy.head import choices_of
from robot_rl.policy.heads import AnyHead

FEWEST = 32  # recorded states, and human ones, from which quality is judged
LIMIT = 0.99  # of full scale: at its limit
SAME, DIFFERENT = 1e-3, 2e-2  # standard deviation of an action over the states
PUBLISHED = "published."
"""How the tensors of the parent are named in a learner's state file."""


@runtime_checkable
class Valued(Protocol):
    """An algorithm that has critics."""

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """(batch,): Q of actions (batch, axes), the mean of all critics."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """What a head is judged on."""

    features: torch.Tensor  # (states, features); the first ones are the human steps
    human: torch.Tensor  # (human steps, action): what people did in them


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFigures:
    """Of one head. `error`, `right`, `value`: None where nothing can be said."""

    unusable: int  # states for which it has no finite action
    saturated: float  # share of states with every axis at its limit
    spread: float  # greatest standard deviation of an axis over the states
    error: float | None  # mean square an axis from people's actions
    right: float | None  # share of human steps with the same gripper
    value: float | None  # mean Q of its own actions


class Fitness:
    """Judges what an algorithm would publish, and remembers what was published."""

    def __init__(
        self,
        settings: FitnessSection,
        algorithm: Algorithm,
        replay: Replay,
        success: float,
        start: AnyHead | None = None,
    ) -> None:
        """`start`: the starting policy's head, where the algorithm trains another one."""
        self._settings, self._algorithm, self._replay = settings, algorithm, replay
        self._success = abs(success)
        self._start = algorithm.head if start is None else start
        self._parent: AnyHead | None = None

    def published(self, head: AnyHead | None = None) -> None:
        """A head, the algorithm's unless one is given, is what the next one is compared with."""
        published = self._algorithm.head if head is None else head
        self._parent = copy.deepcopy(published).eval().requires_grad_(False)

    @property
    def parent(self) -> AnyHead | None:
        """The head that was published last."""
        return self._parent

    def state(self) -> dict[str, torch.Tensor]:
        """The parent, for a learner's state file."""
        if self._parent is None:
            return {}
        return {f"{PUBLISHED}{key}": value for key, value in self._parent.state_dict().items()}

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """What `state` gave. In files from before there is no parent: the head that was saved
        stands for it. Raises RuntimeError when they are not of such a head.
        """
        saved = {key.removeprefix(PUBLISHED): value for key, value in tensors.items()}
        of_start = saved.keys() == self._start.state_dict().keys()
        self.published(self._start if of_start else None)
        if saved and self._parent is not None:
            self._parent.load_state_dict(saved)

    def refusal(self) -> str:
        """Why the algorithm's head is not fit to act; empty when it is."""
        states = self.states()
        if not len(states.features):
            return ""
        now = self.figures(self._algorithm.head, states)
        if now.unusable:
            return f"its action is not finite in {now.unusable} of {len(states.features)} states"
        if self._parent is None or len(states.features) < FEWEST:
            return ""
        return self._worse(now, self.figures(self._parent, states))

    def states(self) -> States:
        """The fixed sample of the replay."""
        replay, count = self._replay, self._settings.states
        store = replay.store
        human = store.fixed_sample(replay.demonstrated.rows, count)
        features = [
            torch.from_numpy(store.columns["features"][rows])
            for rows in (human, store.fixed_sample(replay.online.rows, count))
        ]
        return States(
            features=torch.cat(features).to(replay.device),
            human=torch.from_numpy(decided(store, human)).to(replay.device),
        )

    @torch.no_grad()
    def figures(self, head: AnyHead, states: States) -> HeadFigures:
        action, grippers = head.decision(states.features)
        usable = action.isfinite().all(-1) & grippers.isfinite().flatten(1).all(-1)
        count = len(states.human)
        error = right = value = None
        if count >= FEWEST:
            axes = list(head.settings.axes)
            error = float((action[:count] - states.human[:, axes]).square().mean())
            choices = choices_of(head.settings, states.human)
            if choices.shape[1]:
                right = float((grippers[:count].argmax(-1) == choices).float().mean())
        if isinstance(self._algorithm, Valued):
            value = float(self._algorithm.value(states.features, action).mean())
        return HeadFigures(
            unusable=int((~usable).sum()),
            saturated=float((action.abs() > LIMIT).all(-1).float().mean()),
            spread=float(action.std(0).max()) if len(action) > 1 else 0.0,
            error=error,
            right=right,
            value=value,
        )

    def _worse(self, now: HeadFigures, before: HeadFigures) -> str:
        limits = self._settings
        if now.saturated > limits.saturated_share >= before.saturated:
            return (
                f"every axis is at its limit in {now.saturated:.0%} of the recorded states "
                f"(the version before: {before.saturated:.0%})"
            )
        if now.spread < SAME and before.spread > DIFFERENT:
            return "its action is the same in all recorded states"
        margin = limits.human_error_margin
        if now.error is not None and before.error is not None and now.error > before.error + margin:
            return (
                f"its actions are {now.error:.2f} from people's (mean square) and those of the "
                f"version before {before.error:.2f}; {margin:g} more is allowed"
            )
        margin = limits.gripper_margin
        if now.right is not None and before.right is not None and now.right < before.right - margin:
            return (
                f"its gripper does what people did in {now.right:.0%} of their steps and that of "
                f"the version before in {before.right:.0%}; {margin:.0%} less is allowed"
            )
        if now.value is None or before.value is None:
            return ""
        margin = limits.value_margin * max(self._success, abs(before.value))
        if now.value < before.value - margin:
            return (
                f"the critics value its actions at {now.value:.2f} and those of the version before "
                f"at {before.value:.2f}; {margin:.2f} less is allowed"
            )
        return ""
