"""From control's events and the recorded steps: one InterventionEnded per intervention."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from robot_rl.daemon.actor.record import Acted
from robot_rl.daemon.messages import InterventionBegan, InterventionOver
from robot_rl.schema.episode import InterventionEnded
from robot_rl.schema.message import utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    began: InterventionBegan
    started_t_utc: datetime
    first: int | None = None
    last: int = 0
    corrections: int = 0
    over: InterventionOver | None = None


class InterventionLog:
    """Those that are open in the running episode, or over and waiting for their last step."""

    def __init__(self) -> None:
        self._open: dict[UUID, _Open] = {}

    def began(self, event: InterventionBegan) -> None:
        self._open[event.intervention_id] = _Open(began=event, started_t_utc=utc_now())

    def over(self, event: InterventionOver) -> None:
        known = self._open.get(event.intervention_id)
        if known is not None:
            self._open[event.intervention_id] = replace(known, over=event)

    def acted(self, acted: Acted) -> None:
        """A step was recorded."""
        known = self._open.get(acted.intervention_id) if acted.intervention_id else None
        if known is None or acted.intervention_id is None:
            return
        self._open[acted.intervention_id] = replace(
            known,
            first=acted.index if known.first is None else known.first,
            last=acted.index,
            corrections=known.corrections + acted.correction,
        )

    def finished(self, episode_id: UUID, recorded_ns: int | None) -> list[InterventionEnded]:
        """Those that are over and whose steps are all recorded; `recorded_ns` None takes every one.

        `recorded_ns` is the end of the newest window whose step was recorded.
        """
        done: list[InterventionEnded] = []
        for key, known in list(self._open.items()):
            over = known.over
            if over is None and recorded_ns is not None:
                continue
            if over is not None and recorded_ns is not None and over.t_ns > recorded_ns:
                continue
            del self._open[key]
            if known.first is None:  # it moved nothing that was recorded
                continue
            done.append(
                InterventionEnded(
                    intervention_id=key,
                    episode_id=episode_id,
                    operator=known.began.operator,
                    device=known.began.device,
                    reason=known.began.reason,
                    first_index=known.first,
                    last_index=known.last,
                    correction_steps=known.corrections,
                    started_t_utc=known.started_t_utc,
                    ended_t_utc=utc_now(),
                    ended_t_robot_ns=over.t_ns if over is not None else known.began.t_ns,
                )
            )
        return done

    def clear(self) -> None:
        """Between episodes nothing is recorded."""
        self._open.clear()
