"""The learner's side of the server's API: reads the feed, fetches segments, tells its progress.

Every call has a timeout. What fails because the server is away is tried again, with growing pauses,
until it works or the learner is told to stop; what fails because of us ends the learner in words.
"""

import hashlib
import io
import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

import httpx
from pydantic import TypeAdapter

from robot_rl.errors import PlainError
from robot_rl.learner.encoder import Delivery, Encoder
from robot_rl.schema.feed import FeedPage
from robot_rl.schema.message import PROTOCOL_VERSION, Message
from robot_rl.schema.policy import (
    PIECE_BYTES,
    LearnerProgress,
    PartHeld,
    PartsLacking,
    PartsOffered,
    PolicyManifest,
    PolicyVersion,
)

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
WAIT_S = 10.0  # the server holds a poll this long when nothing has come
PIECE_TIMEOUT = httpx.Timeout(60.0, connect=2.0)
READ_TIMEOUT = httpx.Timeout(WAIT_S + 10.0, connect=2.0)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
AHEAD = 64  # items the reader may be ahead of training
_PAGE = TypeAdapter(FeedPage)

type Contents = Mapping[str, bytes | Path]


class ServerRefused(PlainError):
    """The server answered, and it will go on answering no."""


class HistoryLost(ServerRefused):
    """The server's database holds less than the learner has read from it."""


class Stopped(Exception):
    """The learner was told to stop while it waited for the server."""


class ServerClient:
    """Calls of one learner. Safe to use from two threads (httpx clients are)."""

    def __init__(
        self,
        server_url: str,
        token: str,
        stop: threading.Event,
        *,
        say: Callable[[str], None],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=server_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport,
        )
        self._stop, self._say, self._url = stop, say, server_url

    def check_protocol(self) -> None:
        """Raises ServerRefused when the server speaks another protocol."""
        spoken = self._patiently(lambda: self._http.get("/api/health")).json().get("protocol")
        if spoken != PROTOCOL_VERSION:
            raise ServerRefused(
                f"this learner speaks protocol {PROTOCOL_VERSION} and the server at {self._url} "
                f"{spoken}: bring both to the same release"
            )

    def page(self, task: str, after: int, wait_s: float) -> FeedPage:
        """The next items after number `after`; empty when none came within `wait_s`."""
        query = {"task": task, "after": after, "wait_s": wait_s}
        response = self._patiently(
            lambda: self._http.get("/api/feed", params=query, timeout=READ_TIMEOUT)
        )
        return _PAGE.validate_json(response.content)

    def segment(self, segment_id: UUID, sha256: str) -> bytes:
        """Bytes of a segment, as the feed named them. Raises ServerRefused when they differ."""
        data = self._patiently(lambda: self._http.get(f"/api/segments/{segment_id}")).content
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise ServerRefused(
                f"the segment {segment_id} came with SHA-256 {found[:12]}… and the feed says "
                f"{sha256[:12]}…: the server's blob store is damaged, run `robot-rl db check`"
            )
        return data

    def publish(self, manifest: PolicyManifest, contents: Contents) -> PolicyVersion:
        """Send the files that the server lacks, then the manifest.

        `contents`: SHA-256 → the bytes of a file, or where they are. Trying again after an outage
        stores the policy once (`policy_id`) and goes on in the middle of a file.
        """
        sizes = {file.sha256: file.size_bytes for file in manifest.files}
        offered = PartsOffered(files=manifest.files)
        answer = self._post("/api/policies/parts/lacking", offered)
        for lacking in PartsLacking.model_validate_json(answer.content).files:
            self._send(lacking, sizes[lacking.sha256], contents[lacking.sha256])
        return PolicyVersion.model_validate_json(self._post("/api/policies", manifest).content)

    def _send(self, held: PartHeld, size: int, content: bytes | Path) -> None:
        """A file from where the server's part of it ends, a piece at a time."""
        opened = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        with opened as file:
            while True:
                file.seek(held.held_bytes)
                held = self._send_piece(held, size, file.read(PIECE_BYTES))
                if held.held_bytes >= size:
                    return

    def _send_piece(self, held: PartHeld, size: int, piece: bytes) -> PartHeld:
        path = f"/api/policies/parts/{held.sha256}"
        query = {"offset": held.held_bytes, "size_bytes": size}
        response = self._patiently(
            lambda: self._http.put(path, params=query, content=piece, timeout=PIECE_TIMEOUT)
        )
        return PartHeld.model_validate_json(response.content)

    def _post(self, path: str, message: Message) -> httpx.Response:
        body, json = message.model_dump_json(), {"Content-Type": "application/json"}
        return self._patiently(lambda: self._http.post(path, content=body, headers=json))

    def tell(self, progress: LearnerProgress) -> None:
        """What the learner has done; in lock-step the robot waits for it."""
        self._post("/api/learner/progress", progress)

    def close(self) -> None:
        self._http.close()

    def _patiently(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        """Until the server answers. Raises ServerRefused or Stopped."""
        pause_s, away = FIRST_PAUSE_S, False
        while not self._stop.is_set():
            try:
                response = call()
                if response.status_code < 400:
                    if away:
                        self._say(f"the server at {self._url} is back")
                    return response
                if response.status_code < 500 and response.status_code not in (408, 429):
                    lost = response.status_code == 409
                    raise (HistoryLost if lost else ServerRefused)(self._refusal(response))
                problem = f"it answered {response.status_code}"
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            if not away:
                self._say(f"the server at {self._url} cannot be used ({problem}); waiting for it")
                away = True
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        raise Stopped

    def _refusal(self, response: httpx.Response) -> str:
        if response.status_code in (401, 403):
            return (
                f"the server at {self._url} does not accept this learner's token: "
                "set ROBOT_RL_TOKEN to a token that was made for a learner"
            )
        return (
            f"the server at {self._url} refused {response.request.url.path} "
            f"({response.status_code}): {_detail(response)[:300]}"
        )


def _detail(response: httpx.Response) -> str:
    """The server's own sentence; else the text as it came."""
    try:
        answer = response.json()
    except ValueError:
        return response.text
    detail = answer.get("detail") if isinstance(answer, dict) else None
    return detail if isinstance(detail, str) else response.text


class FeedReader:
    """Reads ahead and encodes in a thread of its own, so that training waits for neither."""

    def __init__(
        self,
        client: ServerClient,
        task: str,
        after: int,
        stop: threading.Event,
        encoder: Encoder,
    ) -> None:
        self._client, self._task, self._after, self._stop = client, task, after, stop
        self._encoder = encoder
        self._queue: queue.Queue[Delivery] = queue.Queue(AHEAD)
        self._failure: Exception | None = None
        self.behind = False  # something that was recorded is on its way and not delivered yet
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)
        self._thread.start()

    def end(self, timeout_s: float) -> None:
        """Once the learner was told to stop: wait until nothing is encoded or stored any more.

        The thread closes the encoder itself, also when a poll of the feed keeps it for longer.
        """
        self._thread.join(timeout_s)

    def take(self, timeout_s: float) -> Delivery | None:
        """The next item, or None when none came in time. Raises what stopped the reader."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get_nowait()
        except queue.Empty:
            if self._failure is not None:
                raise self._failure from None
            return None

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                items = self._client.page(self._task, self._after, WAIT_S).items
                self.behind = bool(items)
                for delivery in self._encoder.deliver(items):
                    self._put(delivery)
                    self._after = delivery.item.number
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001  handed to the training loop, which ends with it
            self._failure = error
        finally:
            self.behind = False
            self._encoder.close()

    def _put(self, delivery: Delivery) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(delivery, timeout=0.2)
            except queue.Full:
                continue
        raise Stopped
