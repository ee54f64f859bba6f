"""The policy that acts, and its versions: verified, swapped at safe boundaries, pinned."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robot_rl.config import Cell, Task
from robot_rl.daemon.actor.episode_events import Plan
from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.assembly import load_encoder, load_head, load_risk
from robot_rl.policy.explorer import Explorer
from robot_rl.policy.head import ActingPolicy, HeadSettings
from robot_rl.policy.heads import headed
from robot_rl.policy.interface import (
    Backbone,
    Chunk,
    ContinuingPolicy,
    Observation,
    Policy,
    RunningChunk,
)
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.shield import Shield
from robot_rl.policy.starting import load_starting_policy
from robot_rl.policy.versions import VersionStore, mark_acted, read_version
from robot_rl.schema.episode import Purpose
from robot_rl.schema.policy import PolicyManifest

STARTING_VERSION = 0
"""The policy that the task file names, before anything was learned."""
_STREAM = 0x05  # of the run's root seed: the policy's own noise


class PolicyUnavailable(RuntimeError):
    """A version cannot act here: one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A version as it can be named for good."""

    version: int
    sha256: str  # of its parts; empty for the starting policy, which no server numbered


@dataclass(slots=True, kw_only=True, eq=False)
class EpisodeNoise:
    """Of one episode, whichever versions decide in it."""

    rng: np.random.Generator
    deterministic: bool = False
    begun: bool = False  # something was decided


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decider:
    """The version that decides, with the noise of its episode: what a question is put to. A swap
    or a new episode makes another one, so that a thought under way goes on undisturbed.
    """

    policy: Policy
    loaded: Loaded
    noise: EpisodeNoise

    def act(self, observation: Observation, running: RunningChunk | None = None) -> Chunk:
        """Decide, while this runs. Raises BadObservation."""
        noise = self.noise
        if not noise.begun:
            noise.begun = True
            self.policy.reset()
        policy, deterministic = self.policy, noise.deterministic
        if running and isinstance(policy, ContinuingPolicy) and policy.can_go_on(running):
            return policy.go_on(observation, noise.rng, running, deterministic=deterministic)
        return policy.act(observation, noise.rng, deterministic=deterministic)


class PolicyHolder:
    """Which version decides now, which one to follow, which one waits, and an episode's pin.

    A version is its PolicyReady; None is the starting policy. Backbone and head change together,
    between two decisions. A backbone that is not loaded yet is loaded in a thread, while the
    version before it acts on; `at_once` loads it in the caller's thread, for lock-step, where time
    waits.
    """

    def __init__(
        self,
        task: Task,
        folder: Path,
        root_seed: int,
        *,
        at_once: bool = False,
        cell: Cell | None = None,
    ) -> None:
        """cell: what the starting policy must fit besides. Raises BadCheckpoint."""
        self._task, self._store, self._root_seed = task, VersionStore(folder), root_seed
        self._explorer = Explorer(task.exploration)
        self._starting = load_starting_policy(task, cell)
        if isinstance(self._starting, ActingPolicy):
            self._starting.explorer = self._explorer
        self._starting.version = STARTING_VERSION
        self.policy: Policy = self._starting
        self._present: PolicyReady | None = None
        self._followed: PolicyReady | None = None
        self._offered: PolicyReady | None = None  # None: nothing waits
        self._encoders = _Encoders(self._starting, at_once=at_once)
        self._pinned = False
        self._noise = EpisodeNoise(rng=np.random.default_rng())

    @property
    def loaded(self) -> Loaded:
        return _named(self._present)

    @property
    def version(self) -> int:
        return self.loaded.version

    def begin(self, plan: Plan, number: int) -> None:
        """Pin the episode's version if it has one, and seed its noise. Raises PolicyUnavailable."""
        if plan.policy_version is not None and plan.policy_version != self.version:
            wanted = self._stored(plan.policy_version)
            policy = self._built(wanted, wait=True)
            assert policy is not None  # it was waited for
            self._take(wanted, policy)
        self._pinned = plan.policy_version is not None
        seeds = np.random.SeedSequence([self._root_seed, _STREAM, plan.seed, number])
        self._noise = EpisodeNoise(
            rng=np.random.default_rng(seeds), deterministic=plan.purpose is Purpose.EVALUATION
        )

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
        wanted = self._followed if self._offered is None else self._offered
        if _named(wanted) != self.loaded:
            try:
                policy = self._built(wanted)
            except PolicyUnavailable:
                if self._offered is None:  # it has acted, and its files are gone or damaged since
                    self._followed = self._present
                self._offered = None
                raise
            if policy is None:
                return  # its backbone is being loaded
            self._take(wanted, policy)
        self._offered, self._followed = None, wanted

    def decider(self) -> Decider:
        """For the next question."""
        return Decider(policy=self.policy, loaded=self.loaded, noise=self._noise)

    def _stored(self, version: int) -> PolicyReady | None:
        """A version as the download laid it down. Raises PolicyUnavailable."""
        if version == STARTING_VERSION:
            return None
        folder = self._store.find(self._task.name, version)
        if folder is None:
            raise PolicyUnavailable(
                f"Policy version {version} is not on this robot; it has {self.version} loaded. "
                "Choose another version, or wait until it is downloaded."
            )
        sha256 = read_version(folder).manifest.sha256
        return PolicyReady(folder=str(folder), version=version, sha256=sha256)

    def _take(self, wanted: PolicyReady | None, policy: Policy) -> None:
        """Decide by this version from now on."""
        if wanted is not None:
            mark_acted(Path(wanted.folder))
        self.policy, self._present = policy, wanted
        self._encoders.keep_only(self._starting, policy)

    def _built(self, wanted: PolicyReady | None, *, wait: bool = False) -> Policy | None:
        """A version ready to act; None while its backbone is loading. Raises PolicyUnavailable."""
        if wanted is None:
            return self._starting
        folder = Path(wanted.folder)
        try:
            manifest = read_version(folder).manifest
            backbone = self._encoders.get(folder, manifest, wait=wait)
            if backbone is None:
                return None
            head = load_head(folder, manifest, backbone)
            self._check_fits(backbone, head.settings)
            shield = self._shield(folder, manifest, backbone)
        except (BadCheckpoint, OSError, ValueError) as error:
            raise PolicyUnavailable(
                f"Policy version {wanted.version} was not taken: {error}. "
                f"The robot stays with version {self.version}."
            ) from error
        policy = headed(backbone, head, wanted.version, self._explorer)
        policy.shield = shield
        return policy

    def _shield(self, folder: Path, manifest: PolicyManifest, backbone: Backbone) -> Shield | None:
        """The version's risk critic, where the task wants one. Raises BadCheckpoint."""
        settings = self._task.risk
        if settings is None:
            return None
        found = load_risk(folder, manifest, backbone, self._task.action.size)
        if found is None:
            return None
        return Shield(
            found,
            candidates=settings.candidates,
            acts=settings.acts,
            threshold=settings.threshold,
        )

    def _check_fits(self, backbone: Backbone, shape: HeadSettings) -> None:
        """Raises BadCheckpoint: the task gives it other images, or moves otherwise."""
        missing = [camera for camera in backbone.cameras if camera not in self._task.cameras]
        if missing:
            raise BadCheckpoint(
                f"it needs the camera {missing[0]}, and the task {self._task.name} has "
                f"{', '.join(self._task.cameras)}"
            )
        action = self._task.action
        grippers = action.gripper_columns if action.gripper else ()
        found = (shape.size, shape.axes, shape.gripper_columns)
        if found != (action.size, action.active_axes, grippers):
            raise BadCheckpoint(
                f"of {shape.size} columns it moves {shape.axes} and the grippers "
                f"{shape.gripper_columns}, and the task {self._task.name} has {action.size}, "
                f"{action.active_axes} and {grippers}"
            )


class _Encoders:
    """Backbones by the hash that names them: the few in use, and one that is being loaded."""

    def __init__(self, starting: Policy, *, at_once: bool) -> None:
        self._at_once = at_once
        self._loaded: dict[str, Backbone] = {}
        self._loading: tuple[str, Future[Backbone]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="backbone")
        self.keep_only(starting)

    def get(self, folder: Path, manifest: PolicyManifest, *, wait: bool) -> Backbone | None:
        """None while it is being loaded. Raises BadCheckpoint or OSError."""
        sha256 = manifest.encoder_sha256
        if sha256 not in self._loaded:
            if self._at_once or wait:
                self._loaded[sha256] = load_encoder(folder, manifest)
            elif not self._arrived(sha256, folder, manifest):
                return None
        return self._loaded[sha256]

    def _arrived(self, sha256: str, folder: Path, manifest: PolicyManifest) -> bool:
        """Begin to load it, or take it when that is done."""
        if self._loading is None:
            self._loading = (sha256, self._thread.submit(load_encoder, folder, manifest))
        name, future = self._loading
        if not future.done():
            return False
        self._loading = None
        if name != sha256:
            return False  # another version was wanted meanwhile: it is next
        self._loaded[name] = future.result()
        return True

    def keep_only(self, *policies: Policy) -> None:
        """Give the memory of all others back."""
        backbones = [policy.backbone for policy in policies if isinstance(policy, ActingPolicy)]
        self._loaded = {backbone.sha256: backbone for backbone in backbones}


def _named(ready: PolicyReady | None) -> Loaded:
    if ready is None:
        return Loaded(version=STARTING_VERSION, sha256="")
    return Loaded(version=ready.version, sha256=ready.sha256)
