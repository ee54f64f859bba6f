"""The running episode machine: it is stepped here, and what it asks for is carried out."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robot_rl.daemon import messages
from robot_rl.daemon.actor import episode as episodes
from robot_rl.daemon.actor import episode_events as events
from robot_rl.daemon.actor.episode import EpisodeState, Rules
from robot_rl.daemon.actor.event_log import EventLog
from robot_rl.daemon.actor.ports import ActorPorts
from robot_rl.daemon.actor.sensors import Sensors

_SEED_STREAM = 0x11  # of the run's root seed: seeds of episodes nobody gave one


class EpisodeMachine:
    """State: where the episode stands, and a placing of objects that is under way."""

    def __init__(
        self,
        rules: Rules,
        root_seed: int,
        sensors: Sensors,
        ports: ActorPorts,
        event_log: EventLog,
        say: Callable[[str], None],
    ) -> None:
        self.rules = rules
        self._sensors, self._ports, self._event_log, self._say = sensors, ports, event_log, say
        self._seeds = np.random.default_rng([root_seed, _SEED_STREAM])
        truth = sensors.truth()
        placed = None if truth is None else int(truth["seed"])
        first = self._draw_seed() if placed is None else placed
        self.state = EpisodeState(placed_seed=placed, next_seed=first)
        self.whole = True  # whether the last episode has all its records
        self._placing: int | None = None

    def step(self, event: events.Event) -> str | None:
        """Step the machine and carry out what it asks for; a refusal comes back as a sentence."""
        self.state, effects = episodes.step(self.state, event, self.rules)
        refused: str | None = None
        for effect in effects:
            match effect:
                case events.RequestRefused(reason=reason):
                    refused = reason
                case events.StopMotion(reason=reason):
                    self._ports.intend(messages.EndMotion(reason=reason))
                case events.Conclude():
                    self._event_log.ended(effect, whole=self.whole)
                case events.DriveHome(to_start=to_start):
                    if not to_start:
                        self._event_log.reset_begins()
                    self._ports.intend(self._home(to_start))
                case events.PlaceObjects(seed=seed):
                    self._placing = self._ports.place(seed)
                case events.SceneReady(seed=seed, by=by):
                    self._event_log.scene_ready(seed, by)
                case events.ResetFailed(why=why):
                    self._say(why)
                    self._event_log.safety("reset", why, episodes.ROBOT)
                case events.Begin():
                    pass  # whoever asked goes on, once the policy is ready
        return refused

    def _home(self, to_start: bool) -> messages.GoHome:
        truth = self._sensors.truth()
        if not to_start or truth is None:
            return messages.GoHome()
        return messages.GoHome(
            position_m=tuple(truth["start_position"].tolist()),
            quaternion_wxyz=tuple(truth["start_quaternion"].tolist()),
            gripper=1 if float(truth["start_gripper"]) > 0.5 else -1,
        )

    def look_at_placing(self) -> None:
        """Simulation: have the objects been placed?"""
        truth = self._sensors.truth()
        if self._placing is None or truth is None or not self._ports.placed(self._placing):
            return
        self._placing = None
        self.step(events.ScenePlaced(seed=int(truth["seed"])))

    def choose_next_seed(self) -> None:
        self.state = replace(self.state, next_seed=self._draw_seed())

    def _draw_seed(self) -> int:
        return int(self._seeds.integers(0, 2**31))
