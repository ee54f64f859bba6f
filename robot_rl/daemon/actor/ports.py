"""The actor's ends of the shared memory, and the outbox."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from hardware import simulation_topics
from hardware.clock import Clock
from robot_rl.daemon import messages, topics
from robot_rl.daemon.actor.episode import EpisodeState
from robot_rl.daemon.actor.episode_events import Plan
from robot_rl.daemon.actor.record import Decided, text_of
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.schema.live.client_message import Request
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult
from robot_rl.schema.message import Message
from safety.faults import FaultCode, sentence
from safety.vocabulary import Mode

_REQUESTS: TypeAdapter[FromClient | messages.PolicyReady] = TypeAdapter(
    FromClient | messages.PolicyReady
)
_EVENTS: TypeAdapter[messages.ControlEvent] = TypeAdapter(messages.ControlEvent)
_NO_EPISODE = bytes(16)


class ActorPorts:
    """Everything the actor reads and writes besides its sensors."""

    def __init__(
        self, folder: Path, clock: Clock, outbox: OutboxWriter, *, columns: int, simulated: bool
    ) -> None:
        self._clock = clock
        self.outbox = outbox
        self.control = topics.open_slot(folder, "control")
        self.step_results = topics.open_step_results(folder, columns)
        self._chunk = topics.open_chunk(folder, columns)
        self._episode = topics.open_slot(folder, "episode")
        self._intents = topics.open_ring(folder, "intents")
        self._events = topics.open_ring(folder, "control_events")
        self._requests = topics.open_ring(folder, "actor_requests")
        self._results = topics.open_ring(folder, "actor_results")
        self._link = topics.open_slot(folder, "outbox")
        self._simulated = simulated
        if simulated:
            self._placing = simulation_topics.open_placing(folder)
            self._placed = simulation_topics.open_placed(folder)
            self._episode_runs = simulation_topics.open_episode(folder)
            self._rendering = simulation_topics.open_rendering(folder)
        self._born_ns = self._placements = self._clock.now_ns()  # no earlier actor has used it

    def now_ns(self) -> int:
        return self._clock.now_ns()

    # ---- control --------------------------------------------------------------------------------

    def send_chunk(
        self,
        decided: Decided,
        actions: NDArray[np.float64],
        *,
        observed_ns: int,
        valid_from_ns: int,
        dt_ns: int,
        epoch: int,
        first: int = 0,
    ) -> None:
        """Publish a chunk (steps, columns) of MAX_CHUNK steps at most, followed from its action
        `first` on.
        """
        count = len(actions)
        record = np.zeros((), self._chunk.dtype)
        record["chunk_id"] = decided.chunk_id
        record["observation_ns"], record["valid_from_ns"] = observed_ns, valid_from_ns
        record["dt_ns"], record["epoch"], record["count"] = dt_ns, epoch, count
        record["first"] = first
        record["actions"][:count] = actions[:count]
        judged = decided.judged
        record["risk"] = topics.NO_CRITIC if judged is None else judged.taken
        threshold = None if judged is None or not judged.acts else judged.threshold
        record["risk_threshold"] = topics.NO_CRITIC if threshold is None else threshold
        version = decided.policy_version
        record["policy_version"] = -1 if version is None else version
        record["inference_s"] = decided.inference_s
        self._chunk.write(record)

    def send_nothing(self, *, from_ns: int, dt_ns: int) -> None:
        """Publish an empty chunk: what was planned before ends at `from_ns`."""
        record = np.zeros((), self._chunk.dtype)
        record["chunk_id"] = from_ns // dt_ns
        record["observation_ns"] = record["valid_from_ns"] = from_ns
        record["dt_ns"], record["policy_version"] = dt_ns, -1
        record["risk"] = record["risk_threshold"] = topics.NO_CRITIC
        self._chunk.write(record)

    def mode(self) -> Mode:
        """What control says that it is in."""
        return Mode(text_of(self.control.read()["mode"]) or "idle")

    def intend(self, intent: messages.Intent) -> None:
        messages.send(self._intents, intent)

    def control_events(self) -> list[messages.ControlEvent]:
        return messages.receive(self._events, _EVENTS)

    # ---- the link -------------------------------------------------------------------------------

    def requests(self) -> list[FromClient | messages.PolicyReady]:
        return messages.receive(self._requests, _REQUESTS)

    def answer(self, sender: FromClient, message: Message, reason: str, now_ns: int) -> None:
        """Accepted when there is no reason against it."""
        assert isinstance(message, Request)
        messages.send(
            self._results,
            CommandResult(
                request_id=message.request_id,
                client_id=sender.client_id,
                command=str(getattr(message, "kind", "")),
                accepted=not reason,
                reason=reason,
                t_ns=now_ns,
            ),
        )

    def not_recording(self) -> str | None:
        """Why an episode could not be kept, or None."""
        state = self.outbox.state
        if not state.accepting:
            return sentence(FaultCode.DISK_FULL, problem=state.problem)
        if self._link.count and not bool(self._link.read()["accepting"]):
            full = "the outbox is full; see that the server runs"
            return sentence(FaultCode.DISK_FULL, problem=full)
        return None

    def publish(
        self,
        state: EpisodeState,
        shown: Plan | None,
        *,
        now_ns: int,
        started_ns: int,
        max_steps: int,
        version: int,
        inference_s: float,
        recorded_steps: int,
        vetoes: int,
        overrides: int,
        start_refusal: str,
    ) -> None:
        """Tell everyone where the episode stands."""
        record = np.zeros((), topics.EPISODE)
        record["t_ns"] = now_ns
        record["episode_id"] = np.void(_NO_EPISODE if shown is None else shown.episode_id.bytes)
        record["number"], record["stage"] = state.number, state.stage.encode()
        purpose = b"training" if state.plan is None else state.plan.purpose.encode()
        record["purpose"] = purpose
        record["seed"] = state.next_seed if shown is None else shown.seed
        record["step"], record["max_steps"] = state.steps, max_steps
        record["human_steps"] = state.human_steps
        record["interventions"] = state.interventions
        record["started_ns"] = started_ns
        record["success_seen"] = state.success_seen
        record["policy_version"], record["inference_s"] = version, inference_s
        record["recorded_steps"], record["born_ns"] = recorded_steps, self._born_ns
        record["risk_vetoes"], record["risk_overrides"] = vetoes, overrides
        record["loaded"] = True
        record["start_refusal"] = topics.bounded(start_refusal, 256)
        self._episode.write(record)

    # ---- the simulator --------------------------------------------------------------------------

    def place(self, seed: int) -> int | None:
        """Ask for the objects to be placed by `seed`; the number of the request."""
        if not self._simulated:
            return None
        self._placements += 1
        number = self._placements
        self._placing.push(simulation_topics.place(number, seed))
        return number

    def placed(self, number: int) -> bool:
        return int(self._placed.read()["number"]) == number

    def play(self, running: bool) -> None:
        """An episode begins or is over. Lock-step draws only what an episode needs; in real time
        people watch all the while.
        """
        if self._simulated:
            self._episode_runs.write(np.array((running,), simulation_topics.EPISODE))
        if self._simulated and self._clock.virtual:
            self._rendering.write(np.array((running,), simulation_topics.RENDERING))
