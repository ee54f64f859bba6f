"""What the person says of episodes and takeovers beside the live connection, as the console does.

After a rehearsal whose reward was a classifier's word: what the person saw, against it. Frozen
evaluations measure the policy: where the classifier ended one of them otherwise than the
person saw, the person relabels it, as they would in the console. Training is left as it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import httpx

from robot_rl.rehearsal.record import EpisodeLine, Record
from robot_rl.rehearsal.report import ClassifierErrors
from robot_rl.schema.episode import Outcome, Purpose
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


def classifier_errors(record: Record, saw_done: Mapping[UUID, bool]) -> ClassifierErrors:
    """Of every episode that it labelled and the person looked on."""
    said = [
        (episode.success, saw_done[episode.episode_id])
        for episode in record.episodes
        if episode.labeller == CLASSIFIER and episode.episode_id in saw_done
    ]
    return ClassifierErrors(
        episodes=len(said),
        false_successes=sum(success and not done for success, done in said),
        missed=sum(done and not success for success, done in said),
    )


def put_right(record: Record, saw_done: Mapping[UUID, bool], server_url: str, token: str) -> Record:
    """The record with frozen evaluations as the person saw them. Raises httpx.HTTPError."""
    with httpx.Client(
        base_url=server_url, headers={"Authorization": f"Bearer {token}"}, timeout=30.0
    ) as client:
        return replace(
            record,
            episodes=tuple(_relabelled(each, saw_done, client) for each in record.episodes),
        )


def _relabelled(
    episode: EpisodeLine, saw_done: Mapping[UUID, bool], client: httpx.Client
) -> EpisodeLine:
    done = saw_done.get(episode.episode_id, episode.success)
    measured = episode.purpose is Purpose.EVALUATION and episode.labeller == CLASSIFIER
    if not measured or done is episode.success:
        return episode
    outcome = Outcome.SUCCESS if done else Outcome.FAILURE
    answer = client.post(
        f"/api/episodes/{episode.episode_id}/labels",
        json={"outcome": outcome, "note": "As the person saw it; the classifier ended it."},
    )
    answer.raise_for_status()
    return episode.model_copy(update={"outcome": outcome})
