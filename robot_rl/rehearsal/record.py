"""What the database holds about a rehearsal, read through the public REST API."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from robot_rl.rehearsal.digest import EpisodeDigest, combined
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.feed import FeedPage, SegmentStored
from robot_rl.schema.segment import decode_segment
from robot_rl.schema.step import Step

_PAGE = 500


class EpisodeLine(BaseModel):
    """The columns of the episode table that a report needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    episode_id: UUID
    robot: str
    started_t_utc: datetime
    purpose: Purpose
    seed: int
    started_t_robot_ns: int
    ended_t_robot_ns: int | None
    outcome: Outcome | None
    labeller: str | None  # who said so first
    classifier_success: bool | None = None  # whoever labelled; None: there was no classifier
    stored_steps: int  # records, the last one without an action
    steps: int | None  # actions
    trainable_steps: int  # of those, with every picture
    human_steps: int
    interventions: int
    policy_versions: tuple[int, ...]

    @property
    def success(self) -> bool:
        return self.outcome is Outcome.SUCCESS

    @property
    def autonomous(self) -> bool:
        """Succeeded without a human step."""
        return self.success and self.human_steps == 0

    @property
    def actions(self) -> int:
        return self.steps or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All episodes of the run, oldest first."""

    episodes: tuple[EpisodeLine, ...]

    def of(self, purpose: Purpose) -> list[EpisodeLine]:
        return [episode for episode in self.episodes if episode.purpose is purpose]

    @property
    def records_stored(self) -> int:
        return sum(episode.stored_steps for episode in self.episodes)

    @property
    def trainable_steps(self) -> int:
        """Of the episodes that may enter training."""
        return sum(
            episode.trainable_steps
            for episode in self.episodes
            if episode.purpose is not Purpose.EVALUATION
        )

    @property
    def interventions(self) -> int:
        return sum(episode.interventions for episode in self.episodes)

    @property
    def versions_acted(self) -> tuple[int, ...]:
        """Without version 0, the task's own folder: version 1 has the same weights."""
        acted = {version for episode in self.episodes for version in episode.policy_versions}
        return tuple(sorted(acted - {0}))


def read_record(server_url: str, token: str, task: str, robots: Iterable[str]) -> Record:
    """Every episode of each robot's newest run of the task. Raises httpx.HTTPError.

    A folder may hold earlier rehearsals: a run begins whenever the robot's daemon starts.
    """
    with httpx.Client(
        base_url=server_url, headers={"Authorization": f"Bearer {token}"}, timeout=30.0
    ) as client:
        lines = [line for robot in robots for line in _newest_run(client, task, robot)]
    # Several robots have no clock in common but that of the wall.
    return Record(episodes=tuple(sorted(lines, key=lambda line: line.started_t_utc)))


def _newest_run(client: httpx.Client, task: str, robot: str) -> list[EpisodeLine]:
    lines: list[EpisodeLine] = []
    after: str | None = None
    adapter = TypeAdapter(list[EpisodeLine])
    query = {"task": task, "robot": robot}
    newest = client.get("/api/episodes", params=query | {"limit": "1"})
    newest.raise_for_status()
    runs = [line["run_id"] for line in newest.json()["episodes"]]
    while runs:
        query |= {"sort": "started", "descending": "false", "limit": str(_PAGE), "run_id": runs[0]}
        answer = client.get("/api/episodes", params=query | ({"after": after} if after else {}))
        answer.raise_for_status()
        page = answer.json()
        lines += adapter.validate_python(page["episodes"])
        after = page["next"]
        if after is None:
            break
    return lines


def steps_sha256(
    server_url: str,
    token: str,
    task: str,
    record: Record,
    look: Callable[[Step], object] = lambda _step: None,
) -> str:
    """The hash over every stored step of the run (robot_rl/rehearsal/digest.py), images included;
    `look` gets each of them.

    Raises httpx.HTTPError.
    """
    digests = {episode.episode_id: EpisodeDigest() for episode in record.episodes}
    after = 0
    with httpx.Client(
        base_url=server_url, headers={"Authorization": f"Bearer {token}"}, timeout=30.0
    ) as client:
        while True:
            answer = client.get("/api/feed", params={"task": task, "after": after})
            answer.raise_for_status()
            page = FeedPage.model_validate_json(answer.content)
            if not page.items:
                return combined(digests.values())
            for item in page.items:
                event = item.event
                if isinstance(event, SegmentStored) and event.episode_id in digests:
                    segment = client.get(f"/api/segments/{event.segment_id}")
                    segment.raise_for_status()
                    for step in decode_segment(segment.content):
                        digests[event.episode_id].add(step)
                        look(step.step)
            after = page.cursor
