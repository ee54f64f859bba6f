"""What the safety chain decided about one command, as plain values."""

from dataclasses import dataclass

from safety.vocabulary import Limit, Reject, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one gate tick: the acting source, the limits that acted, and the refusal."""

    source: Source
    limits: Limit
    reject: Reject
