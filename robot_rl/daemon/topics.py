"""Every topic of the robot PC in one table: who writes it, who reads it, what it holds.

Numbers that flow at a fixed rate are `Slot`s of numpy structures. Rare things (requests, answers,
events) are `Ring`s of JSON text, one pydantic message per record, so that they keep their types.
The arm's own topics are in hardware.arm_topics, a simulation's in hardware.simulation_topics.
"""

from pathlib import Path

import numpy as np

from hardware.memory import Record, Ring, Slot

NO_ARM = -1  # DRIVE.arm
MAX_CHUNK = 64  # actions of a chunk that control follows; what a policy plans beyond is cut off
NO_CRITIC = -1.0  # CHUNK.risk, and CHUNK.risk_threshold of one that only warns
MESSAGE_BYTES = 2040
PROFILES = "S256"  # names of limit profiles with a space between (config.limit_profile)

MESSAGE = np.dtype([("size", np.int64), ("text", f"V{MESSAGE_BYTES}")])

DRIVE = np.dtype(
    [
        ("client_id", "V16"),
        ("received_ns", np.int64),  # robot clock at the link
        ("sequence", np.int64),
        ("lease_epoch", np.int64),
        ("echo_t_ns", np.int64),
        ("deadman", np.bool_),
        ("arm", np.int8),  # which one is driven, in the order of the cell
        ("axes", np.float64, 6),
        ("gripper", np.int8),
        ("tool_frame", np.bool_),
        ("speed_scale", np.float64),
        ("device", "S24"),
    ]
)
"""link → control: the newest drive message of the lease holder's client (fields as in
schema.live.client_message.Drive).
"""

LOCAL_INPUT = np.dtype(
    [
        ("t_ns", np.int64),
        ("axes", np.float64, 6),
        ("buttons", np.bool_, 8),
        ("connected", np.bool_),
        ("device", "S24"),
    ]
)
"""teleop → control, link: a device at the robot PC."""


def chunk_type(columns: int) -> np.dtype[np.void]:
    """actor → control: what the policy plans, in the columns of the task's action space."""
    return np.dtype(
        [
            ("chunk_id", np.int64),
            ("observation_ns", np.int64),  # T_k
            ("valid_from_ns", np.int64),  # B_k = T_k + action delay
            ("dt_ns", np.int64),
            ("epoch", np.int64),  # of control's mode (CONTROL.epoch) at the observation
            ("count", np.int64),  # 0: the policy sees nothing; older plans end at valid_from_ns
            ("first", np.int64),  # before it what an older chunk planned still runs
            ("actions", np.float64, (MAX_CHUNK, columns)),
            ("risk", np.float64),  # NO_CRITIC: none was asked; what is no probability counts as 1
            ("risk_threshold", np.float64),  # NO_CRITIC: it only warns; no probability counts as 0
            ("policy_version", np.int64),
            ("inference_s", np.float64),
        ]
    )


def step_result_type(columns: int) -> np.dtype[np.void]:
    """control → actor (ring): one per window of the step grid, whatever the mode."""
    return np.dtype(
        [
            ("observation_ns", np.int64),  # T_k of the window that ended
            ("has_proposed", np.bool_),
            ("proposed", np.float64, columns),
            ("has_human", np.bool_),
            ("human", np.float64, columns),
            ("executed", np.float64, columns),
            ("commanded", np.float64, columns),
            ("source", "S8"),
            ("intervention_id", "V16"),  # zeros: none
            ("phase", "S12"),
            ("limits", np.int64),
            ("reject_reason", "S32"),
            ("chunk_id", np.int64),
            ("chunk_index", np.int64),
            ("policy_version", np.int64),
            ("operator", "S64"),
            ("mode", "S12"),
            ("limit_profiles", PROFILES),  # active at any time in the window
        ]
    )


CONTROL = np.dtype(
    [
        ("t_ns", np.int64),
        ("mode", "S12"),
        ("cause", "S160"),
        ("fault", "S24"),  # safety.faults.FaultCode behind the cause; empty: none
        ("epoch", np.int64),  # of the mode; a new one with every change
        ("source", "S8"),
        ("phase", "S12"),
        ("intervention_id", "V16"),
        ("lease_epoch", np.int64),
        ("lease_holder", "S64"),
        ("lease_client", "V16"),
        ("lease_suspended", np.bool_),
        ("lease_since_ns", np.int64),
        ("lease_asked_by", "S64"),  # empty: nobody asks the holder
        ("lease_asked_client", "V16"),
        ("lease_asked_until_ns", np.int64),
        ("speed_limit", np.float64),
        ("limits", np.int64),
        ("limit_profiles", PROFILES),  # active now
        ("moving", np.bool_),
        ("round_trip_ms", np.float64),  # NaN: unknown
        ("action_age_ms", np.float64),  # NaN: none
        ("policy_version", np.int64),
        ("at_home", np.bool_),
        ("period_p50_us", np.float64),
        ("period_p99_us", np.float64),
        ("period_p999_us", np.float64),  # 99.9 %
        ("period_max_us", np.float64),
        ("latency_p50_us", np.float64),
        ("latency_p99_us", np.float64),
        ("latency_p999_us", np.float64),
        ("latency_max_us", np.float64),
        ("missed_ticks", np.int64),
        ("ticks", np.int64),
        ("stop_received_ns", np.int64),
        ("stop_braking_ns", np.int64),
        ("stop_stopped_ns", np.int64),
        ("stop_by", "S64"),
    ]
)
"""control → everyone: what control is doing, at its own rate divided by four."""

EPISODE = np.dtype(
    [
        ("t_ns", np.int64),
        ("episode_id", "V16"),  # zeros: none
        ("number", np.int64),
        ("stage", "S16"),
        ("purpose", "S16"),
        ("seed", np.int64),
        ("step", np.int64),
        ("max_steps", np.int64),
        ("human_steps", np.int64),
        ("interventions", np.int64),
        ("started_ns", np.int64),
        ("success_seen", np.bool_),
        ("policy_version", np.int64),
        ("inference_s", np.float64),
        ("recorded_steps", np.int64),  # since the daemon started
        ("risk_vetoes", np.int64),  # of the running episode, or the one before it
        ("risk_overrides", np.int64),  # the same
        ("born_ns", np.int64),  # when this actor process began: another one has another time
        ("loaded", np.bool_),  # the policy is loaded and warmed up
        ("start_refusal", "S256"),  # what keeps an episode from starting; empty: nothing does
    ]
)
"""actor → everyone."""

OUTBOX = np.dtype(
    [
        ("pending", np.int64),
        ("acknowledged", np.int64),
        ("last", np.int64),
        ("connected", np.bool_),
        ("free_bytes", np.int64),
        ("accepting", np.bool_),
        ("set_aside", np.int64),  # rows that the server refuses for good, kept on the disk
    ]
)
"""link → actor: how the durable path is doing."""

SLOTS = {
    "drive": DRIVE,
    "local_input": LOCAL_INPUT,
    "control": CONTROL,
    "episode": EPISODE,
    "outbox": OUTBOX,
}

RINGS = {
    "control_requests": (
        MESSAGE,
        64,
    ),  # link → control: FromClient | ClientGone
    "stop_requests": (MESSAGE, 64),  # link → control: FromClient with a Stop, which waits for none
    "control_results": (
        MESSAGE,
        64,
    ),  # control → link: CommandResult | StopProgress
    "actor_requests": (
        MESSAGE,
        64,
    ),  # link → actor: FromClient | PolicyReady
    "actor_results": (MESSAGE, 64),  # actor → link: CommandResult
    "intents": (MESSAGE, 64),  # actor → control: daemon.messages.Intent
    "control_events": (MESSAGE, 256),  # control → actor: daemon.messages.ControlEvent
}


def bounded(text: str, size: int) -> bytes:
    """UTF-8 of at most `size` bytes, cut between characters."""
    return text.encode()[:size].decode(errors="ignore").encode()


def open_slot(folder: Path, name: str) -> Slot:
    """The slot `name` of the daemon whose shared memory is in `folder`."""
    return Slot(folder / name, SLOTS[name])


def open_ring(folder: Path, name: str) -> Ring:
    dtype, capacity = RINGS[name]
    return Ring(folder / name, dtype, capacity)


def open_chunk(folder: Path, columns: int) -> Slot:
    """The newest chunk, of a task whose actions have that many columns."""
    return Slot(folder / "chunk", chunk_type(columns))


def open_step_results(folder: Path, columns: int) -> Ring:
    return Ring(folder / "step_results", step_result_type(columns), 256)


def make_all(folder: Path, columns: int) -> None:
    """Take the memory of every topic now: a process that found it full later could only die."""
    for name in SLOTS:
        open_slot(folder, name)
    for name in RINGS:
        open_ring(folder, name)
    open_chunk(folder, columns)
    open_step_results(folder, columns)


def risk_of(chunk: Record) -> float | None:
    """What the critic said of a chunk; None without one. A critic that failed counts as risk 1."""
    risk = float(chunk["risk"])
    if risk == NO_CRITIC:
        return None
    return risk if 0.0 <= risk <= 1.0 else 1.0


def risk_threshold_of(chunk: Record) -> float | None:
    """From which risk on a chunk is held back; None where its critic only warns. One that is no
    probability holds back all but what is sure to be safe.
    """
    threshold = float(chunk["risk_threshold"])
    if threshold == NO_CRITIC:
        return None
    return threshold if 0.0 <= threshold <= 1.0 else 0.0
