"""The scripted operator decides: watch, react late, take over, recover, correct, let go. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from robot_rl.rehearsal.expert import Advice, Expert, View
from safety.vocabulary import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """How this person works; `skill` is the chance that an input is the expert's, not random."""

    reaction_s: float = 0.3  # from seeing that it goes wrong to the hand on the device
    patience_s: float | None = None  # without progress; None: what the expert of the scene has
    progress_m: float = 0.01  # what counts as progress
    correction_s: float = 1.5  # how long a correction lasts, unless the task is done before
    noise: float = 0.1  # standard deviation added to every axis in use
    skill: float = 1.0
    interventions: bool = True
    label_error: float = 0.0  # the share of training episodes in which the wrong key is pressed

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("reaction", self.reaction_s, 0.0, 10.0),
            ("noise", self.noise, 0.0, 1.0),
            ("skill", self.skill, 0.0, 1.0),
            ("label error", self.label_error, 0.0, 1.0),
            ("correction", self.correction_s, 0.1, 60.0),
            ("patience", self.patience_s, 0.1, 60.0),
        ):
            if value is not None and not low <= value <= high:
                raise ValueError(f"operator {name} = {value}: allowed are {low} to {high}")


class Wish(StrEnum):
    """What the person wants of the robot now, besides driving."""

    NOTHING = "nothing"
    TAKE_OVER = "take_over"
    MARK_CORRECTION = "mark_correction"
    LET_GO = "let_go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mind:
    """What the person remembers; `demonstrating` drives from start to end of the episode."""

    demonstrating: bool = False
    best: float = float("inf")
    best_t_s: float = 0.0
    alarmed_t_s: float | None = None
    driving: bool = False
    correcting_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorDecision:
    wish: Wish
    advice: Advice | None  # None: hands off


def decide(
    mind: Mind,
    view: View,
    mode: Mode,
    expert: Expert,
    settings: OperatorSettings,
    rng: np.random.Generator,
) -> tuple[Mind, OperatorDecision]:
    """One look at the robot: the new state, and what the person does."""
    if mode is Mode.TAKEOVER:
        return _drive(mind, view, expert, settings, rng)
    if mind.driving:
        mind = replace(mind, driving=False, correcting_since_s=None, alarmed_t_s=None)
        mind = replace(mind, best=float("inf"), best_t_s=view.t_s)
    if mind.demonstrating:
        return mind, OperatorDecision(
            wish=Wish.TAKE_OVER, advice=_input(view, expert, settings, rng)
        )
    if mode is not Mode.AUTONOMOUS or not settings.interventions:
        return mind, OperatorDecision(wish=Wish.NOTHING, advice=None)
    return _watch(mind, view, expert, settings, rng)


def _watch(
    mind: Mind, view: View, expert: Expert, settings: OperatorSettings, rng: np.random.Generator
) -> tuple[Mind, OperatorDecision]:
    distance = expert.distance(view)
    if distance < mind.best - settings.progress_m:
        mind = replace(mind, best=distance, best_t_s=view.t_s, alarmed_t_s=None)
    elif distance > mind.best + 5 * settings.progress_m:
        # It moves away from the goal: look again from here, but the clock of patience keeps
        # running.
        mind = replace(mind, best=distance - 4 * settings.progress_m)
    patience_s = expert.patience_s if settings.patience_s is None else settings.patience_s
    if mind.alarmed_t_s is None and view.t_s - mind.best_t_s >= patience_s:
        mind = replace(mind, alarmed_t_s=view.t_s)
    if mind.alarmed_t_s is not None and view.t_s - mind.alarmed_t_s >= settings.reaction_s:
        return mind, OperatorDecision(
            wish=Wish.TAKE_OVER, advice=_input(view, expert, settings, rng)
        )
    return mind, OperatorDecision(wish=Wish.NOTHING, advice=None)


def _drive(
    mind: Mind, view: View, expert: Expert, settings: OperatorSettings, rng: np.random.Generator
) -> tuple[Mind, OperatorDecision]:
    advice = _input(view, expert, settings, rng)
    if not mind.driving:
        mind = replace(mind, driving=True, correcting_since_s=None)
    if mind.correcting_since_s is None:
        if expert.recovered(view):
            mind = replace(mind, correcting_since_s=view.t_s)
            return mind, OperatorDecision(wish=Wish.MARK_CORRECTION, advice=advice)
        return mind, OperatorDecision(wish=Wish.NOTHING, advice=advice)
    long_enough = view.t_s - mind.correcting_since_s >= settings.correction_s
    if long_enough and not mind.demonstrating:
        return mind, OperatorDecision(wish=Wish.LET_GO, advice=advice)
    return mind, OperatorDecision(wish=Wish.NOTHING, advice=advice)


def _input(
    view: View, expert: Expert, settings: OperatorSettings, rng: np.random.Generator
) -> Advice:
    advice = expert.advise(view)
    used = advice.axes != 0
    axes = np.where(used, advice.axes + settings.noise * rng.standard_normal(6), 0.0)
    if rng.random() >= settings.skill:
        axes = np.where(used, rng.uniform(-1.0, 1.0, 6), 0.0)
    return Advice(axes=np.clip(axes, -1.0, 1.0), gripper=advice.gripper)
