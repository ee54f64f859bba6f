"""From the recorded steps of an episode: when the risk critic held the robot, and what people did
about it.
"""

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from robot_rl.daemon.actor.record import Acted
from robot_rl.schema.episode import RiskEvent
from safety.vocabulary import Reject, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskNews:
    """To be kept as a safety event of that step."""

    code: RiskEvent
    cause: str
    by: str


class RiskWatch:
    """State: how often each happened in this episode, whether the critic holds the robot now, and
    which intervention was told of as an override.

    vetoes: a hold counts once, until the policy moves again or a person takes over. overrides: an
    intervention counts once, when something that the person did was above the threshold.
    """

    def __init__(self) -> None:
        self.vetoes = self.cleared = self.overrides = 0
        self._holds = False
        self._told: UUID | None = None

    def look(self, acted: Acted) -> list[RiskNews]:
        """What the newest step says."""
        step = acted.record.step
        if step.reject_reason == Reject.RISK:
            return self._veto(acted)
        if acted.human:
            return self._person(acted)
        if step.source is Source.POLICY:
            self._holds = False
        return []

    def _veto(self, acted: Acted) -> list[RiskNews]:
        if self._holds:
            return []
        self._holds = True
        self.vetoes += 1
        said = acted.judged
        # What was decided later than its step, or for several steps, was judged elsewhere.
        if said is None and acted.record.step.risk is None:
            cause = (
                "The robot held: no risk critic judged the action, and the task requires one "
                "([risk] required)."
            )
            return [RiskNews(code=RiskEvent.VETO, cause=cause, by="gate")]
        cause = "The risk critic held the robot."
        if said is not None and said.threshold is not None:
            cause = (
                f"The risk critic held the robot: the least risk it found was {said.taken:.2f}, "
                f"and {said.threshold:.2f} is allowed."
            )
        return [RiskNews(code=RiskEvent.VETO, cause=cause, by="critic")]

    def _person(self, acted: Acted) -> list[RiskNews]:
        step, said = acted.record.step, acted.judged
        who = step.operator or "a person"
        news: list[RiskNews] = []
        if self._holds:
            self._holds = False
            self.cleared += 1
            cause = f"{who} took over from a hold because of the risk."
            news.append(RiskNews(code=RiskEvent.CLEARED, cause=cause, by=who))
        if said is None or not said.acts or said.threshold is None or step.executed_action is None:
            return news
        if acted.intervention_id == self._told:
            return news
        risk = said.of_action(np.array(step.executed_action))
        if risk > said.threshold:
            self._told = acted.intervention_id
            self.overrides += 1
            cause = (
                f"{who} drove on where the risk critic would have held a policy back: it said "
                f"{risk:.2f} of that motion, and {said.threshold:.2f} is allowed."
            )
            news.append(RiskNews(code=RiskEvent.OVERRIDE, cause=cause, by=who))
        return news
