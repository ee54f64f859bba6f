"""What the person says of episodes and takeovers beside the live connection, as the console does.

After a rehearsal whose reward was a classifier's word: what the person saw, against it. Nobody
relabels anything by that: what was learned from the classifier is measured as it was.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

import httpx

from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.report import ClassifierErrors
from robot_rl.schema.episode import Purpose
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.message import new_id
from robot_rl.schema.transition import CLASSIFIER


def say_use(
    server_url: str, token: str, episode: UUID, takeover: UUID, use: InterventionUse
) -> None:
    """What a takeover is for, as the console says it unasked. Raises httpx.HTTPError."""
    answer = httpx.post(
        f"{server_url}/api/episodes/{episode}/interventions/{takeover}/decisions",
        headers={"Authorization": f"Bearer {token}"},
        json={"decision_id": str(new_id()), "use": use, "by_default": True},
        timeout=30.0,
        trust_env=False,
    )
    answer.raise_for_status()


def errors_of_labels(record: Record, saw_done: Mapping[UUID, bool]) -> ClassifierErrors:
    """Of every episode that the classifier labelled and the person looked on: of rewards."""
    return _errors(
        (episode.success, saw_done[episode.episode_id])
        for episode in record.episodes
        if episode.labeller == CLASSIFIER and episode.episode_id in saw_done
    )


def errors_of_evidence(record: Record, saw_done: Mapping[UUID, bool]) -> ClassifierErrors:
    """Of the frozen evaluations, in which its word is evidence only."""
    return _errors(
        (episode.classifier_success, saw_done[episode.episode_id])
        for episode in record.of(Purpose.EVALUATION)
        if episode.classifier_success is not None and episode.episode_id in saw_done
    )


def _errors(pairs: Iterable[tuple[bool, bool]]) -> ClassifierErrors:
    """Of pairs: what the classifier said, and what the person saw."""
    said = list(pairs)
    return ClassifierErrors(
        episodes=len(said),
        false_successes=sum(success and not done for success, done in said),
        missed=sum(done and not success for success, done in said),
    )
