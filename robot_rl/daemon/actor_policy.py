"""The policy that acts, and its versions: verified, swapped at safe boundaries, pinned."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robot_rl.config import Task
from robot_rl.daemon.episode import Plan
from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.checkpoint import HEAD, BadCheckpoint, decode_head, sha256_of
from robot_rl.policy.head import HeadPolicy
from robot_rl.policy.interface import Chunk, Observation, Policy
from robot_rl.policy.starting import load_starting_policy
from robot_rl.schema.episode import Purpose
from robot_rl.schema.policy import PolicyVersion

STARTING_VERSION = 0
"""The policy that the task file names, before anything was learned."""
_STREAM = 0x05  # of the run's root seed: the policy's own noise
ACTED = "acted"  # a file in the folder of a version that acted: it is never pruned


class PolicyUnavailable(RuntimeError):
    """A version cannot act here: one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    version: int
    sha256: str


class PolicyHolder:
    """The loaded policy, the newest version that is ready, and the pin of the running episode."""

    def __init__(self, task: Task, folder: Path, root_seed: int) -> None:
        self._folder, self._root_seed = folder, root_seed
        self.policy: Policy = load_starting_policy(task)
        self.policy.version = STARTING_VERSION
        self._starting_head = self.policy.head if isinstance(self.policy, HeadPolicy) else None
        self._wanted: PolicyReady | None = None
        self._pinned = False
        self._deterministic = False
        self._rng = np.random.default_rng()
        self.inference_s = 0.0

    @property
    def version(self) -> int:
        return STARTING_VERSION if self.policy.version is None else self.policy.version

    def begin(self, plan: Plan, number: int) -> Activated | None:
        """Pin the episode's version if it has one, and seed its noise. Raises PolicyUnavailable."""
        activated = None
        self._pinned = plan.policy_version is not None
        if plan.policy_version is not None and plan.policy_version != self.version:
            activated = self._load(plan.policy_version)
        self._deterministic = plan.purpose is Purpose.EVALUATION
        seeds = np.random.SeedSequence([self._root_seed, _STREAM, plan.seed, number])
        self._rng = np.random.default_rng(seeds)
        self.policy.reset()
        return activated

    def end(self) -> None:
        self._pinned = False

    def offer(self, ready: PolicyReady) -> None:
        """What the server wants to act; after a rejection or a pin an older version."""
        self._wanted = ready

    def swap(self) -> Activated | None:
        """Swap to the newest version if one waits and none is pinned. Raises PolicyUnavailable.

        Called between two decisions, never while a person drives.
        """
        wanted = self._wanted
        if wanted is None or self._pinned:
            return None
        self._wanted = None
        if wanted.policy.version == self.version:
            return None
        return self._use(Path(wanted.folder), wanted.policy)

    def act(self, observation: Observation) -> Chunk:
        """Decide, and time it. Raises BadObservation."""
        began = time.perf_counter()
        chunk = self.policy.act(observation, self._rng, deterministic=self._deterministic)
        self.inference_s = time.perf_counter() - began
        return chunk

    def _load(self, version: int) -> Activated:
        if version == STARTING_VERSION:
            return self._return_to_start()
        for file in self._folder.glob("*/version.json"):
            if json.loads(file.read_text())["version"] == version:
                return self._use(file.parent, PolicyVersion.model_validate_json(file.read_bytes()))
        raise PolicyUnavailable(
            f"Policy version {version} is not on this robot; it has {self.version} loaded. Choose "
            "another version, or wait until it is downloaded."
        )

    def _return_to_start(self) -> Activated:
        policy = self.policy
        if not isinstance(policy, HeadPolicy) or self._starting_head is None:
            raise PolicyUnavailable(
                "The starting policy cannot be loaded again; restart the robot."
            )
        policy.swap(self._starting_head, STARTING_VERSION)
        return Activated(version=STARTING_VERSION, sha256="")

    def _use(self, folder: Path, wanted: PolicyVersion) -> Activated:
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
                data, backbone_sha256=policy.backbone.sha256, name=f"policy version {version}"
            )
            policy.swap(head, version)
            (folder / ACTED).touch()
        except (BadCheckpoint, OSError, ValueError) as error:
            raise PolicyUnavailable(f"Policy version {version} was not taken: {error}.") from error
        return Activated(version=version, sha256=wanted.manifest.sha256)
