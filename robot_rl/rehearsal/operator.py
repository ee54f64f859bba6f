"""The scripted operator decides: watch, react late, take over, recover, correct, let go. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from robot_rl.rehearsal.expert import Advice, Expert, View
from robot_rl.schema.intervention import InterventionUse
from safety.vocabulary import Mode

_SAME_INSTANT_S = 1e-6  # times are float seconds of a clock that counts nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """How this person works; `skill` is the chance that an input is the expert's, not random.

    press_s: how long the gripper's key is held, each time that the gripper is to do something else
    and once in every takeover; None: as long as the expert says. forgotten_mark: the share of the
    takeovers of training episodes in which key C is never pressed, and the console's question goes
    unanswered. usual_use: what the console then says in the person's place, their last choice.
    """

    reaction_s: float = 0.3  # from seeing that it goes wrong to the hand on the device
    patience_s: float | None = None  # without progress; None: what the expert of the scene has
    progress_m: float = 0.01  # what counts as progress
    correction_s: float = 1.5  # how long a correction lasts, unless the task is done before
    noise: float = 0.1  # standard deviation added to every axis in use
    skill: float = 1.0
    interventions: bool = True
    label_error: float = 0.0  # the share of training episodes in which the wrong key is pressed
    press_s: float | None = None
    forgotten_mark: float = 0.0
    usual_use: InterventionUse = InterventionUse.CORRECTION

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("reaction", self.reaction_s, 0.0, 10.0),
            ("noise", self.noise, 0.0, 1.0),
            ("skill", self.skill, 0.0, 1.0),
            ("label error", self.label_error, 0.0, 1.0),
            ("correction", self.correction_s, 0.1, 60.0),
            ("patience", self.patience_s, 0.1, 60.0),
            ("press of the gripper's key", self.press_s, 0.02, 10.0),
            ("forgotten mark", self.forgotten_mark, 0.0, 1.0),
        ):
            if value is not None and not low <= value <= high:
                raise ValueError(f"operator {name} = {value}: allowed are {low} to {high}")


class Wish(StrEnum):
    """What the person wants of the robot now, besides driving."""

    NOTHING = "nothing"
    TAKE_OVER = "take_over"
    MARK_CORRECTION = "mark_correction"
    FORGET_MARK = "forget_mark"  # said once, when such a takeover begins
    LET_GO = "let_go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mind:
    """What the person remembers; `demonstrating` drives from start to end of the episode.

    forgets: to mark this takeover. gripper: what the gripper was last wanted to do, and since when.
    """

    demonstrating: bool = False
    best: float = float("inf")
    best_t_s: float = 0.0
    alarmed_t_s: float | None = None
    driving: bool = False
    correcting_since_s: float | None = None
    forgets: bool = False
    gripper: int = 0
    gripper_t_s: float = 0.0


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
        return mind, _take_over(view, expert, settings, rng)
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
        return mind, _take_over(view, expert, settings, rng)
    return mind, OperatorDecision(wish=Wish.NOTHING, advice=None)


def _take_over(
    view: View, expert: Expert, settings: OperatorSettings, rng: np.random.Generator
) -> OperatorDecision:
    advice = _input(view, expert, settings, rng)
    if settings.press_s is not None:  # who presses for a while only waits until they drive
        advice = replace(advice, gripper=0)
    return OperatorDecision(wish=Wish.TAKE_OVER, advice=advice)


def _drive(
    mind: Mind, view: View, expert: Expert, settings: OperatorSettings, rng: np.random.Generator
) -> tuple[Mind, OperatorDecision]:
    advice, wish = _input(view, expert, settings, rng), Wish.NOTHING
    if not mind.driving:
        forgets = _forgets(mind, settings, rng)
        mind = replace(mind, driving=True, correcting_since_s=None, gripper=0, forgets=forgets)
        wish = Wish.FORGET_MARK if forgets else wish
    mind, advice = _pressed(mind, view, advice, settings)
    if mind.correcting_since_s is None:
        if expert.recovered(view):
            mind = replace(mind, correcting_since_s=view.t_s)
            wish = wish if mind.forgets else Wish.MARK_CORRECTION
        return mind, OperatorDecision(wish=wish, advice=advice)
    long_enough = view.t_s - mind.correcting_since_s >= settings.correction_s
    if long_enough and not mind.demonstrating:
        return mind, OperatorDecision(wish=Wish.LET_GO, advice=advice)
    return mind, OperatorDecision(wish=Wish.NOTHING, advice=advice)


def _forgets(mind: Mind, settings: OperatorSettings, rng: np.random.Generator) -> bool:
    """Of a demonstration nothing is marked: all of it is imitated."""
    share = settings.forgotten_mark
    return share > 0 and not mind.demonstrating and bool(rng.random() < share)


def _pressed(
    mind: Mind, view: View, advice: Advice, settings: OperatorSettings
) -> tuple[Mind, Advice]:
    """What is left of the expert's order for the gripper when its key is held for a while only."""
    if settings.press_s is None:
        return mind, advice
    if advice.gripper != mind.gripper:
        mind = replace(mind, gripper=advice.gripper, gripper_t_s=view.t_s)
    held = view.t_s - mind.gripper_t_s < settings.press_s - _SAME_INSTANT_S
    return mind, advice if held else replace(advice, gripper=0)


def _input(
    view: View, expert: Expert, settings: OperatorSettings, rng: np.random.Generator
) -> Advice:
    advice = expert.advise(view)
    used = advice.axes != 0
    axes = np.where(used, advice.axes + settings.noise * rng.standard_normal(6), 0.0)
    if rng.random() >= settings.skill:
        axes = np.where(used, rng.uniform(-1.0, 1.0, 6), 0.0)
    return Advice(axes=np.clip(axes, -1.0, 1.0), gripper=advice.gripper)
