"""A typed client of the server for scripts and notebooks; needs httpx and pydantic alone.

    with LabClient("http://127.0.0.1:8420", token) as lab:
        for episode in lab.episodes(task="lift_cube", outcome="success"):
            steps = lab.steps(episode.episode_id)

The token is one that `robot-rl tokens` makes. What the server refuses is said in its own sentence.
"""

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict

from robot_rl.errors import PlainError
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.policy import PolicyVersion
from robot_rl.schema.step import Step

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PAGE = 500


class AskRefused(PlainError):
    """The server does not answer, or answers no: one plain sentence."""


class LabAnswer(BaseModel):
    """Part of what the server says; what a newer server says besides is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ListedEpisode(LabAnswer):
    """`steps` counts actions; None while the episode runs."""

    episode_id: UUID
    run_id: UUID
    robot: str
    task: str
    instruction: str
    purpose: Purpose
    seed: int
    step_s: float
    cameras: tuple[str, ...]
    operator: str | None
    started_t_utc: datetime
    ended_t_utc: datetime | None
    stored_steps: int
    steps: int | None
    human_steps: int
    interventions: int
    policy_version: int | None
    risk_max: float | None
    outcome: Outcome | None
    failure_class: str | None
    cause: str | None
    labeller: str | None
    note: str
    complete: bool | None
    excluded: bool


class GivenLabel(LabAnswer):
    label_id: UUID
    outcome: Outcome
    failure_class: str | None
    note: str
    author: str
    t_utc: datetime


class AllSteps(LabAnswer):
    """All records of an episode without images; a reward beside each, None where none is known."""

    episode_id: UUID
    action_names: tuple[str, ...]
    steps: tuple[Step, ...]
    rewards: tuple[float | None, ...]


class _Page(LabAnswer):
    episodes: tuple[ListedEpisode, ...]
    next: str | None


class _Detail(LabAnswer):
    episode: ListedEpisode
    labels: tuple[GivenLabel, ...]


class _Policies(LabAnswer):
    policies: tuple[PolicyVersion, ...]


class LabClient:
    """Every call raises AskRefused."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def episodes(
        self,
        *,
        task: str | None = None,
        robot: str | None = None,
        outcome: Outcome | str | None = None,
        purpose: Purpose | str | None = None,
        failure_class: str | None = None,
        interventions: bool | None = None,
        excluded: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> Iterator[ListedEpisode]:
        """Those for which all of it holds, the newest first; as many as there are."""
        wanted = {
            "task": task,
            "robot": robot,
            "outcome": outcome,
            "purpose": purpose,
            "failure_class": failure_class,
            "interventions": interventions,
            "excluded": excluded,
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
            "text": text,
        }
        query = {name: value for name, value in wanted.items() if value is not None}
        after: str | None = None
        while True:
            more = {} if after is None else {"after": after}
            page = _Page.model_validate_json(
                self._ask("GET", "/api/episodes", params={**query, "limit": PAGE, **more})
            )
            yield from page.episodes
            after = page.next
            if after is None:
                return

    def episode(self, episode_id: UUID) -> ListedEpisode:
        return self._detail(episode_id).episode

    def labels(self, episode_id: UUID) -> tuple[GivenLabel, ...]:
        """Oldest first; the last one counts."""
        return self._detail(episode_id).labels

    def steps(self, episode_id: UUID) -> AllSteps:
        return AllSteps.model_validate_json(self._ask("GET", f"/api/episodes/{episode_id}/steps"))

    def frame(self, episode_id: UUID, camera: str, index: int) -> bytes:
        """The JPEG of a step, as it was recorded."""
        return self._ask("GET", f"/api/episodes/{episode_id}/frames/{camera}/{index}.jpg")

    def label(
        self,
        episode_id: UUID,
        outcome: Outcome | str,
        *,
        failure_class: str | None = None,
        note: str = "",
    ) -> GivenLabel:
        """Relabel an episode: earlier labels stay, the learner gets this one."""
        said = {"outcome": outcome, "failure_class": failure_class, "note": note}
        return GivenLabel.model_validate_json(
            self._ask("POST", f"/api/episodes/{episode_id}/labels", json=said)
        )

    def policies(self, task: str | None = None, limit: int = 100) -> tuple[PolicyVersion, ...]:
        """The newest first."""
        query: dict[str, Any] = {"limit": limit} | ({} if task is None else {"task": task})
        answer = self._ask("GET", "/api/policies", params=query)
        return _Policies.model_validate_json(answer).policies

    def _detail(self, episode_id: UUID) -> _Detail:
        return _Detail.model_validate_json(self._ask("GET", f"/api/episodes/{episode_id}"))

    def _ask(self, method: str, path: str, **more: Any) -> bytes:
        try:
            response = self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise AskRefused(
                f"the server at {self._http.base_url} does not answer ({error}): is it running?"
            ) from error
        if response.is_success:
            return response.content
        raise AskRefused(f"{method} {path}: {response.status_code}, {_sentence(response)}")


def _sentence(response: httpx.Response) -> str:
    """The server's own."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:300]
