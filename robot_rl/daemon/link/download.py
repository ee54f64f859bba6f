"""Policies, server → robot: fetched by hash, verified, laid down whole, then offered to the actor.

In the data folder: `policies/<sha256>/` with `head.safetensors` (what was trained), a hard link to
`backbone.safetensors` (what stays frozen, kept once in `policies/backbones/`) and `version.json`.
"""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
from pydantic import ValidationError

from robot_rl import durable_file
from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.folder import BACKBONE, HEAD
from robot_rl.schema.policy import PolicyStatus, PolicyVersion

VERSION = "version.json"
_LOOK_S = 1.0  # how often the robot is asked whether its actor is another one now
KEPT = 5  # newest versions on the disk, whether or not they acted
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 10.0


class BadDownload(RuntimeError):
    """What arrived is not what was announced."""


class Downloads:
    """The newest announced version is what counts: those in between are never fetched."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        folder: Path,
        task: str,
        *,
        offer: Callable[[PolicyReady], bool],
        acting: Callable[[], int | None],
        actor: Callable[[], int],
        log: Callable[[str], None],
    ) -> None:
        """`actor`: a number that another actor process would not have."""
        self._client, self._folder, self._task = client, folder, task
        self._offer, self._acting, self._actor, self._log = offer, acting, actor, log
        self._wanted: PolicyVersion | None = None
        self._given_to: int | None = None  # the actor that was offered the wanted version
        self._said = ""
        self._changed = asyncio.Event()

    def announce(self, policy: PolicyVersion) -> None:
        """Fetch this version next, in place of any other that was waiting."""
        if policy.manifest.task == self._task and policy.status is not PolicyStatus.REJECTED:
            self._wanted = policy
            self._changed.set()

    async def run(self) -> None:
        """Ask for the wanted version, then follow the announcements, for ever.

        An actor that was started again begins with the starting policy: it is offered the wanted
        version once more.
        """
        await self._ask()
        while True:
            announced = await self._announced_within(_LOOK_S)
            forgotten = self._given_to is not None and self._given_to != self._actor()
            policy = self._wanted
            if policy is not None and (announced or forgotten):
                self._given_to = None
                self._changed.clear()
                await self._fetch(policy)

    async def follow(self) -> None:
        """Lock-step: the version that is wanted now is here and offered when this returns.

        In place of `run`. What fails is said, and tried again at the next call.
        """
        try:
            policy = await self._ask_once()
        except (httpx.HTTPError, ValidationError) as error:
            self._say(f"the server does not say which policy to run: {error!r}")
            return
        if policy is None or policy.status is PolicyStatus.REJECTED:
            return
        known = self._wanted is not None and _same(self._wanted, policy)
        if known and self._given_to == self._actor():
            return
        self._wanted, self._given_to = policy, None
        await self._fetch_once(policy)

    async def _announced_within(self, seconds: float) -> bool:
        """Wait for an announcement; False when there was none."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _ask(self) -> None:
        """At the start nobody announces anything: ask until the server answers."""
        backoff_s = _FIRST_BACKOFF_S
        while self._wanted is None:
            try:
                policy = await self._ask_once()
                if policy is not None:
                    self.announce(policy)
                return
            except (httpx.HTTPError, ValidationError) as error:
                self._say(f"the server does not say which policy to run: {error!r}")
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    async def _ask_once(self) -> PolicyVersion | None:
        """What the server wants; None: no version yet. Raises httpx.HTTPError, ValidationError."""
        response = await self._client.get(f"/api/policies/{self._task}/wanted", timeout=_TIMEOUT)
        response.raise_for_status()
        if response.content.strip() in (b"", b"null"):
            return None
        return PolicyVersion.model_validate_json(response.content)

    async def _fetch(self, policy: PolicyVersion) -> None:
        """Fetch until it is here, or until another version is wanted."""
        backoff_s = _FIRST_BACKOFF_S
        while self._wanted is policy and not await self._fetch_once(policy):
            await self._announced_within(backoff_s)
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    async def _fetch_once(self, policy: PolicyVersion) -> bool:
        """Fetch and offer; False, with the reason in the log, when it must be tried again."""
        try:
            folder = await fetch_policy(self._client, self._folder, policy)
        except (httpx.HTTPError, BadDownload, OSError) as error:
            self._say(f"policy {policy.version} cannot be fetched: {error!r}")
            return False
        # A ring record is small, and what the learner did is not the actor's business.
        manifest = policy.manifest.model_copy(update={"update": None})
        slim = policy.model_copy(update={"manifest": manifest})
        given_to = self._actor()
        if not self._offer(PolicyReady(folder=str(folder), policy=slim)):
            self._say(f"policy {policy.version} waits: the actor takes nothing in")
            return False
        self._given_to, self._said = given_to, ""
        prune(self._folder, keep=(policy.version, self._acting()))
        return True

    def _say(self, sentence: str) -> None:
        """Once, however often it is tried again."""
        if sentence != self._said:
            self._said = sentence
            self._log(sentence)


def _same(one: PolicyVersion, other: PolicyVersion) -> bool:
    return (one.version, one.manifest.sha256) == (other.version, other.manifest.sha256)


async def fetch_policy(client: httpx.AsyncClient, store: Path, policy: PolicyVersion) -> Path:
    """The folder of a version, complete and verified.

    Raises BadDownload, httpx.HTTPError or OSError.
    """
    manifest = policy.manifest
    folder = store / manifest.sha256
    if (folder / VERSION).is_file():
        return folder
    backbone = store / "backbones" / f"{manifest.backbone.sha256}.safetensors"
    if manifest.backbone.size_bytes and not backbone.is_file():
        await _fetch_file(
            client, f"/api/policies/backbones/{manifest.backbone.sha256}", backbone,
            manifest.backbone.sha256,
        )  # fmt: skip
    await _fetch_file(
        client, f"/api/policies/weights/{manifest.sha256}", folder / HEAD, manifest.sha256
    )
    if backbone.is_file() and not (folder / BACKBONE).exists():
        os.link(backbone, folder / BACKBONE)
    # Last of all: now it is whole.
    durable_file.write(folder / VERSION, policy.model_dump_json(indent=1).encode())
    return folder


def prune(store: Path, *, keep: tuple[int | None, ...]) -> None:
    """Remove versions that are neither among the newest nor in `keep` nor ever acted here.

    Those that acted carry a file `acted`, which the actor makes.
    """
    versions: list[tuple[int, Path]] = []
    for file in store.glob(f"*/{VERSION}"):
        try:
            versions.append((int(json.loads(file.read_text())["version"]), file.parent))
        except (OSError, ValueError, KeyError):
            continue  # being written, or not ours: left alone
    for version, folder in sorted(versions, reverse=True)[KEPT:]:
        if version not in keep and not (folder / "acted").exists():
            shutil.rmtree(folder, ignore_errors=True)


async def _fetch_file(client: httpx.AsyncClient, path: str, target: Path, sha256: str) -> None:
    """Stream to a file beside the target, verify, then put it in place in one step."""
    digest = hashlib.sha256()
    with durable_file.replacing(target) as file:
        async with client.stream("GET", path, timeout=_TIMEOUT) as response:
            if response.status_code != 200:
                raise BadDownload(f"the server answers {response.status_code} to {path}")
            async for chunk in response.aiter_bytes():
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise BadDownload(
                f"{path} has sha256 {digest.hexdigest()[:12]}… and {sha256[:12]}… was announced"
            )
