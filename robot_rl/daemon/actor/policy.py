"""The policy that acts, and its versions: verified, swapped at safe boundaries, pinned."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robot_rl.config import Task
from robot_rl.daemon.actor.episode_events import Plan
from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.folder import HEAD, sha256_of
from robot_rl.policy.head import HeadPolicy
from robot_rl.policy.interface import Chunk, Observation, Policy
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.starting import load_starting_policy
from robot_rl.policy.weights import decode_head
from robot_rl.schema.episode import Purpose
from robot_rl.schema.policy import PolicyVersion

STARTING_VERSION = 0
"""The policy that the task file names, before anything was learned."""
_STREAM = 0x05  # of the run's root seed: the policy's own noise
ACTED = "acted"  # a file in the folder of a version that acted: it is never pruned


class PolicyUnavailable(RuntimeError):
    """A version cannot act here: one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A version as it can be named for good."""

    version: int
    sha256: str  # of its head; empty for the starting policy, which no server numbered


class PolicyHolder:
    """Which version decides now, which one to follow, which one waits, and an episode's pin.

    A version is its PolicyReady; None is the starting policy.
    """

    def __init__(self, task: Task, folder: Path, root_seed: int) -> None:
        self._task, self._folder, self._root_seed = task, folder, root_seed
        self.policy: Policy = load_starting_policy(task)
        self.policy.version = STARTING_VERSION
        self._starting_head = self.policy.head if isinstance(self.policy, HeadPolicy) else None
        self._present: PolicyReady | None = None
        self._followed: PolicyReady | None = None
        self._offered: PolicyReady | None = None  # None: nothing waits
        self._pinned = False
        self._deterministic = False
        self._rng = np.random.default_rng()
        self.inference_s = 0.0

    @property
    def loaded(self) -> Loaded:
        return _named(self._present)

    @property
    def version(self) -> int:
        return self.loaded.version

    def begin(self, plan: Plan, number: int) -> None:
        """Pin the episode's version if it has one, and seed its noise. Raises PolicyUnavailable."""
        if plan.policy_version is not None and plan.policy_version != self.version:
            self._use(self._stored(plan.policy_version))
        self._pinned = plan.policy_version is not None
        self._deterministic = plan.purpose is Purpose.EVALUATION
        seeds = np.random.SeedSequence([self._root_seed, _STREAM, plan.seed, number])
        self._rng = np.random.default_rng(seeds)
        self.policy.reset()

    def end(self) -> None:
        """The episode is over: the next swap leaves a version that was only pinned."""
        self._pinned = False

    def offer(self, ready: PolicyReady) -> None:
        """What the server wants to act; after a rejection or a pin an older version."""
        self._offered = ready

    def swap(self) -> None:
        """Load the version to follow, unless one is pinned.

        Called between two decisions, never while a person drives. Raises PolicyUnavailable once
        for a version that cannot act; the one before it acts on.
        """
        if self._pinned:
            return
        offered, self._offered = self._offered, None
        wanted = self._followed if offered is None else offered
        if _named(wanted) != self.loaded:
            try:
                self._use(wanted)
            except PolicyUnavailable:
                if offered is None:  # it has acted, and its files are gone or damaged since
                    self._followed = self._present
                raise
        self._followed = wanted

    def act(self, observation: Observation) -> Chunk:
        """Decide, and time it. Raises BadObservation."""
        began = time.perf_counter()
        chunk = self.policy.act(observation, self._rng, deterministic=self._deterministic)
        self.inference_s = time.perf_counter() - began
        return chunk

    def _stored(self, version: int) -> PolicyReady | None:
        """A version as the download laid it down. Raises PolicyUnavailable."""
        if version == STARTING_VERSION:
            return None
        for file in self._folder.glob("*/version.json"):
            try:
                policy = PolicyVersion.model_validate_json(file.read_bytes())
            except (OSError, ValueError):
                continue  # being written, or damaged: it cannot act
            if policy.version == version and policy.manifest.task == self._task.name:
                return PolicyReady(folder=str(file.parent), policy=policy)
        raise PolicyUnavailable(
            f"Policy version {version} is not on this robot; it has {self.version} loaded. Choose "
            "another version, or wait until it is downloaded."
        )

    def _use(self, wanted: PolicyReady | None) -> None:
        """Decide by this version from now on. Raises PolicyUnavailable, and nothing has changed."""
        if wanted is None:
            self._return_to_start()
        else:
            self._load(Path(wanted.folder), wanted.policy)
        self._present = wanted

    def _return_to_start(self) -> None:
        policy = self.policy
        if not isinstance(policy, HeadPolicy) or self._starting_head is None:
            raise PolicyUnavailable(
                "The starting policy cannot be loaded again; restart the robot."
            )
        policy.swap(self._starting_head, STARTING_VERSION)

    def _load(self, folder: Path, wanted: PolicyVersion) -> None:
        policy, version = self.policy, wanted.version
        if not isinstance(policy, HeadPolicy):
            raise PolicyUnavailable(
                f"Policy version {version} is a head, and {type(policy).__name__} has none to swap."
            )
        try:
            data = (folder / HEAD).read_bytes()
            if sha256_of(data) != wanted.manifest.sha256:
                raise BadCheckpoint(f"{folder / HEAD}: its hash is not the one announced")
            head = decode_head(
                data,
                backbone_sha256=policy.backbone.sha256,
                name=f"policy version {version}",
                shape=policy.head.settings,
            )
            (folder / ACTED).touch()
            policy.swap(head, version)
        except (BadCheckpoint, OSError, ValueError) as error:
            raise PolicyUnavailable(f"Policy version {version} was not taken: {error}.") from error


def _named(ready: PolicyReady | None) -> Loaded:
    if ready is None:
        return Loaded(version=STARTING_VERSION, sha256="")
    return Loaded(version=ready.policy.version, sha256=ready.policy.manifest.sha256)
