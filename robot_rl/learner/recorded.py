"""Demonstrations as the server keeps them, for cloning: whole, successful, not excluded."""

from collections.abc import Callable
from uuid import UUID

from robot_rl.config.identity import IdentityRule
from robot_rl.config.task import Task
from robot_rl.learner.feed import ServerClient
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted, Outcome, Purpose
from robot_rl.schema.feed import Excluded, FeedItem, IdentityAdmitted, Relabelled, SegmentStored
from robot_rl.schema.segment import RecordedStep, decode_segment
from robot_rl.schema.transition import TRAINED_ON


def fetch_demonstrations(
    client: ServerClient,
    task: Task,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[list[RecordedStep]]:
    """Demonstrations of a task, of its identity or admitted, in recorded order.

    Raises ServerRefused or BadSegment.
    """
    items: list[FeedItem] = []
    while page := client.page(task.name, items[-1].number if items else 0, 0.0).items:
        items.extend(page)
    wanted = _wanted(items, IdentityRule(task))
    segments: dict[UUID, dict[int, SegmentStored]] = {episode: {} for episode in wanted}
    for item in items:
        if isinstance(item.event, SegmentStored) and item.event.episode_id in segments:
            segments[item.event.episode_id][item.event.first_index] = item.event
    episodes: list[list[RecordedStep]] = []
    for done, episode in enumerate(wanted, start=1):
        records: list[RecordedStep] = []
        for _, event in sorted(segments[episode].items()):
            records += decode_segment(client.segment(event.segment_id, event.sha256))
        if [record.step.index for record in records] == list(range(len(records))):
            episodes.append(records)
        progress(done, len(wanted))
    return episodes


def _wanted(items: list[FeedItem], rule: IdentityRule) -> list[UUID]:
    """Started as demonstrations, ended whole, and a success by the latest label."""
    outcomes: dict[UUID, Outcome | None] = {}
    excluded: set[UUID] = set()
    for item in items:
        event = item.event
        match event:
            case IdentityAdmitted():
                rule.admit(event.identity_sha256)
            case EpisodeStarted() if event.purpose in TRAINED_ON:
                # The rule measures by the first episode of them all, as the learner does.
                fits = not rule.difference(event.provenance)
                if fits and event.purpose is Purpose.DEMONSTRATION:
                    outcomes.setdefault(event.episode_id, None)
            case EpisodeEnded(complete=True) | Relabelled() if event.episode_id in outcomes:
                outcomes[event.episode_id] = event.outcome
            case Excluded():
                (excluded.add if event.excluded else excluded.discard)(event.episode_id)
            case _:
                pass
    return [
        episode
        for episode, outcome in outcomes.items()
        if outcome is Outcome.SUCCESS and episode not in excluded
    ]
