"""Policies, server → robot: the parts that are lacking are fetched by hash, verified, and a version
is laid down whole (robot_rl.policy.versions), then offered to the actor.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx
from pydantic import ValidationError

from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.folder import file_sha256
from robot_rl.policy.versions import VersionStore
from robot_rl.schema.policy import PartFile, PolicyStatus, PolicyVersion

_LOOK_S = 1.0  # how often the robot is asked whether its actor is another one now
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 10.0


class BadDownload(RuntimeError):
    """What arrived is not what was announced."""


class TamperedDownload(BadDownload):
    """A whole file came, and it is another one: it would come again."""


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
        self._client, self._store, self._task = client, VersionStore(folder), task
        self._offer, self._acting, self._actor, self._log = offer, acting, actor, log
        self._wanted: PolicyVersion | None = None
        self._given_to: int | None = None  # the actor that was offered the wanted version
        self._refused: set[str] = set()  # digests of versions with a file that is another one
        self._said = ""
        self._changed = asyncio.Event()

    def announce(self, policy: PolicyVersion) -> None:
        """Fetch this version next, in place of any other that was waiting."""
        usable = policy.status is not PolicyStatus.REJECTED and not self._is_refused(policy)
        if policy.manifest.task == self._task and usable:
            self._wanted = policy
            self._changed.set()

    def _is_refused(self, policy: PolicyVersion) -> bool:
        return policy.manifest.sha256 in self._refused

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
        if policy is None or policy.status is PolicyStatus.REJECTED or self._is_refused(policy):
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
        """Fetch until it is here, refused, or until another version is wanted."""
        backoff_s = _FIRST_BACKOFF_S
        while self._wanted is policy and not await self._fetch_once(policy):
            if self._is_refused(policy):
                return
            await self._announced_within(backoff_s)
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    async def _fetch_once(self, policy: PolicyVersion) -> bool:
        """Fetch and offer; False, with the reason in the log, when it must be tried again."""
        try:
            folder = await fetch_policy(self._client, self._store, policy)
        except TamperedDownload as error:
            self._refused.add(policy.manifest.sha256)
            self._say(
                f"policy {policy.version} is refused: {error}; it is not fetched again (run "
                "`robot-rl db check` on the server; a new version, or this daemon started anew, is "
                "fetched)"
            )
            return False
        except (httpx.HTTPError, BadDownload, OSError) as error:
            self._say(f"policy {policy.version} cannot be fetched: {error!r}")
            return False
        ready = PolicyReady(
            folder=str(folder), version=policy.version, sha256=policy.manifest.sha256
        )
        given_to = self._actor()
        if not self._offer(ready):
            self._say(f"policy {policy.version} waits: the actor takes nothing in")
            return False
        self._given_to, self._said = given_to, ""
        self._store.prune(keep=(policy.version, self._acting()))
        return True

    def _say(self, sentence: str) -> None:
        """Once, however often it is tried again."""
        if sentence != self._said:
            self._said = sentence
            self._log(sentence)


def _same(one: PolicyVersion, other: PolicyVersion) -> bool:
    return (one.version, one.manifest.sha256) == (other.version, other.manifest.sha256)


async def fetch_policy(
    client: httpx.AsyncClient, store: VersionStore, policy: PolicyVersion
) -> Path:
    """The folder of a version, complete and verified; only what is lacking is fetched.

    Raises BadDownload, TamperedDownload, httpx.HTTPError or OSError.
    """
    if store.whole(policy):
        return store.folder_of(policy)
    for file in policy.manifest.files:
        if not store.holds(file):
            await _fetch_file(client, store, file)
    return await asyncio.to_thread(store.lay_down, policy)


async def _fetch_file(client: httpx.AsyncClient, store: VersionStore, file: PartFile) -> None:
    """Go on where an earlier try was cut off; verify the whole, then keep it."""
    path = store.partial(file)
    with path.open("ab") as partial:
        begun = partial.tell()
        if partial.tell() < file.size_bytes:
            await _append(client, file, partial)
        size = partial.tell()
        await asyncio.to_thread(os.fsync, partial.fileno())
    if size < file.size_bytes:
        raise BadDownload(f"{_address(file)} was cut off at {size} of {file.size_bytes} bytes")
    found = await asyncio.to_thread(file_sha256, path)
    if found != file.sha256 or size != file.size_bytes:
        path.unlink()
        # What was begun before may have been damaged here.
        raise (BadDownload if begun else TamperedDownload)(
            f"{_address(file)} has {size} bytes with sha256 {found[:12]}…; {file.size_bytes} bytes "
            f"with {file.sha256[:12]}… were announced"
        )
    await asyncio.to_thread(store.keep, file)


async def _append(client: httpx.AsyncClient, file: PartFile, partial: BinaryIO) -> None:
    """Ask for what is missing; a server that sends all of it is taken from the beginning.

    Raises BadDownload or httpx.HTTPError; what has arrived until then stays.
    """
    begun = partial.tell()
    headers = {"Range": f"bytes={begun}-", "If-Range": f'"{file.sha256}"'} if begun else {}
    async with client.stream("GET", _address(file), headers=headers, timeout=_TIMEOUT) as response:
        if response.status_code == 206 and begun:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
                raise BadDownload(f"the server sent another piece of {_address(file)} than asked")
        elif response.status_code == 200:
            partial.truncate(0)
        else:
            raise BadDownload(f"the server answers {response.status_code} to {_address(file)}")
        async for piece in response.aiter_bytes():
            partial.write(piece)
            if partial.tell() > file.size_bytes:
                return  # not what was announced: the caller sees its size


def _address(file: PartFile) -> str:
    return f"/api/policies/parts/{file.sha256}"
