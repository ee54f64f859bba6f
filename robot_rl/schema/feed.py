"""The learner's feed: one ordered stream of everything that can change training."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted, InterventionEnded, Outcome
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.message import Message


class SegmentStored(Message):
    """A segment is stored; its bytes are at `/api/segments/{segment_id}`."""

    kind: Literal["segment_stored"] = "segment_stored"
    segment_id: UUID
    episode_id: UUID
    first_index: int
    count: int
    sha256: str


class Relabelled(Message):
    kind: Literal["relabelled"] = "relabelled"
    episode_id: UUID
    outcome: Outcome
    author: str
    t_utc: datetime


class Excluded(Message):
    """`excluded` false takes an earlier exclusion back."""

    kind: Literal["excluded"] = "excluded"
    episode_id: UUID
    excluded: bool
    author: str
    t_utc: datetime


class InterventionDecided(Message):
    """A person said what a takeover is for training; the newest counts. Comes after its
    InterventionEnded, also when the person was faster than the robot's record.
    """

    kind: Literal["intervention_decided"] = "intervention_decided"
    intervention_id: UUID
    episode_id: UUID
    use: InterventionUse
    author: str
    t_utc: datetime


class IdentityAdmitted(Message):
    """An engineer took data of another identity in (Provenance.data_sha256).

    What the feed said about its episodes follows once more.
    """

    kind: Literal["identity_admitted"] = "identity_admitted"
    task: str
    identity_sha256: str
    author: str
    t_utc: datetime


type FeedEvent = Annotated[
    SegmentStored
    | EpisodeStarted
    | EpisodeEnded
    | InterventionEnded
    | InterventionDecided
    | Relabelled
    | Excluded
    | IdentityAdmitted,
    Field(discriminator="kind"),
]


class FeedItem(Message):
    """`number` is assigned in commit order: a reader that has seen n never misses a smaller one
    later.
    """

    number: Annotated[int, Field(ge=1)]
    event: FeedEvent


class FeedPage(Message):
    """`GET /api/feed?task=T&after=N&wait_s=S`: items in order; empty when nothing came within S
    seconds.
    """

    items: tuple[FeedItem, ...]
    cursor: Annotated[int, Field(ge=0)]
