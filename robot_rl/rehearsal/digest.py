"""What of recorded steps is the same whenever a run is repeated with the same seed, as a hash.

Left out is what cannot be the same: ids, the wall clock (UTC) and how long an inference took.
Everything else counts, images included. An intervention's id is replaced by its number within the
episode, so that who drove when still counts.
"""

import hashlib
import json
from collections.abc import Iterable
from uuid import UUID

from robot_rl.schema.segment import RecordedStep

UNREPEATABLE = frozenset({"episode_id", "t_utc", "inference_s"})


class EpisodeDigest:
    """A running hash over one episode's records, which are added in order."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._interventions: dict[UUID, int] = {}
        self.steps = 0

    def add(self, record: RecordedStep) -> dict[str, object]:
        """Count a record in; returns what of it counts, field by field, for comparisons."""
        fields: dict[str, object] = record.step.model_dump(mode="json", exclude=set(UNREPEATABLE))
        identity = record.step.intervention_id
        if identity is not None:
            number = self._interventions.setdefault(identity, len(self._interventions) + 1)
            fields["intervention_id"] = number
        for camera in sorted(record.images):
            fields[f"image_{camera}"] = hashlib.sha256(record.images[camera]).hexdigest()
        # Python prints a float in full, so that two numbers are equal exactly if their texts are.
        self._sha256.update(json.dumps(fields, sort_keys=True).encode())
        self.steps += 1
        return fields

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def combined(episodes: Iterable[EpisodeDigest]) -> str:
    """One hash over episodes in the order in which they began."""
    total = hashlib.sha256()
    for episode in episodes:
        total.update(f"{episode.steps} {episode.hexdigest()}\n".encode())
    return total.hexdigest()
