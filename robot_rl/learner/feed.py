"""The learner's side of the server's API: reads the feed, fetches segments, tells its progress.

Every call has a timeout. What fails because the server is away is tried again, with growing pauses,
until it works or the learner is told to stop; what fails because of us ends the learner in words.
"""

import hashlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import httpx
from pydantic import TypeAdapter

from robot_rl.errors import PlainError
from robot_rl.schema.feed import FeedItem, FeedPage, SegmentStored
from robot_rl.schema.policy import LearnerProgress, PolicyManifest, PolicyVersion

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
WAIT_S = 10.0  # the server holds a poll this long when nothing has come
READ_TIMEOUT = httpx.Timeout(WAIT_S + 10.0, connect=2.0)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
AHEAD = 64  # items the reader may be ahead of training
_PAGE = TypeAdapter(FeedPage)


class ServerRefused(PlainError):
    """The server answered, and it will go on answering no."""


class HistoryLost(ServerRefused):
    """The server's database holds less than the learner has read from it."""


class Stopped(Exception):
    """The learner was told to stop while it waited for the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A feed item; a stored segment comes with its bytes."""

    item: FeedItem
    segment: bytes | None = None


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

    def publish(
        self, manifest: PolicyManifest, weights: bytes, backbone: bytes | None
    ) -> PolicyVersion:
        """Store a policy; trying again after an outage stores it once (`policy_id`)."""
        files = {"weights": ("weights", weights, "application/octet-stream")}
        if backbone is not None:
            files["backbone"] = ("backbone", backbone, "application/octet-stream")
        response = self._patiently(
            lambda: self._http.post(
                "/api/policies", data={"manifest": manifest.model_dump_json()}, files=files
            )
        )
        return PolicyVersion.model_validate_json(response.content)

    def tell(self, progress: LearnerProgress) -> None:
        """What the learner has done; in lock-step the robot waits for it."""
        body = progress.model_dump_json()
        json = {"Content-Type": "application/json"}
        self._patiently(
            lambda: self._http.post("/api/learner/progress", content=body, headers=json)
        )

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
    """Reads ahead in a thread of its own, so that training never waits for the network."""

    def __init__(self, client: ServerClient, task: str, after: int, stop: threading.Event) -> None:
        self._client, self._task, self._after, self._stop = client, task, after, stop
        self._queue: queue.Queue[Delivery] = queue.Queue(AHEAD)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)
        self._thread.start()

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
                for item in self._client.page(self._task, self._after, WAIT_S).items:
                    self._put(self._delivery(item))
                    self._after = item.number
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001  handed to the training loop, which ends with it
            self._failure = error

    def _delivery(self, item: FeedItem) -> Delivery:
        event = item.event
        if isinstance(event, SegmentStored):
            return Delivery(item=item, segment=self._client.segment(event.segment_id, event.sha256))
        return Delivery(item=item)

    def _put(self, delivery: Delivery) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(delivery, timeout=0.2)
            except queue.Full:
                continue
        raise Stopped
