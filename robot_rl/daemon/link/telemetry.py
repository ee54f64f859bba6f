"""From shared memory to the live messages: what the robot says about itself, 20 times a second."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from hardware import arm_topics, simulation_topics
from hardware.camera import open_frames
from hardware.memory import Frames, Record, Slot
from robot_rl.config.limit_profile import ChosenBy
from robot_rl.daemon import topics
from robot_rl.daemon.limits import SelectableProfile
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.schema.episode import Purpose
from robot_rl.schema.live.robot_message import SimulatorTruth, TruthObject
from robot_rl.schema.live.telemetry import (
    ArmTelemetry,
    EpisodeStage,
    EpisodeStatus,
    LeaseStatus,
    LimitProfileStatus,
    LoopStatus,
    OutboxStatus,
    RiskStatus,
    Telemetry,
)
from safety.contact import Stated
from safety.faults import FaultCode, bound_ms, sentence
from safety.standstill import at_rest
from safety.vocabulary import Limit, Mode, Phase, Source

_NO_ID = bytes(16)
_STANDING_OF_CONTROL = (
    *("epoch", "phase", "intervention_id", "fault", "at_home"),
    *("lease_epoch", "lease_client", "lease_suspended", "lease_asked_client"),
)
_STANDING = ("episode_id", "number", "stage", "loaded", "start_refusal")  # of the episode
RISK_SHOWN_NS = 1_000_000_000
"""A decision older than that says nothing of what the robot does."""
CONTROL_SILENT_NS = bound_ms(FaultCode.CONTROL_SILENT) * 1_000_000
"""Then what control said last is no longer shown as the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReading:
    """What an arm measured, and where control wants it."""

    state: Record
    command: Record | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One reading of every topic that telemetry is made of."""

    now_ns: int
    control: Record
    episode: Record
    outbox: Record
    arms: Mapping[str, ArmReading]
    chunk: Record | None
    local: Record | None
    frame_age_ms: Mapping[str, float]
    real_time_factor: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contact:
    """What bounds the contact of an arm at rest: what its cell states, or its clips."""

    stated: Stated
    stiffness: NDArray[np.float64]  # (6,)

    def limits(self, command: Record | None) -> tuple[float, float]:
        """N and Nm of the strongest axis, with the clips of the newest command."""
        if command is None:
            return self.stated.force_n, self.stated.torque_nm
        force_n = float((self.stiffness[:3] * command["clip_m"]).max())
        torque_nm = float((self.stiffness[3:] * command["clip_rad"]).max())
        return min(force_n, self.stated.force_n), min(torque_nm, self.stated.torque_nm)


class Readings:
    """The slots behind telemetry, opened once."""

    def __init__(self, settings: DaemonSettings) -> None:
        folder = settings.memory
        self.control = topics.open_slot(folder, "control")
        self.episode = topics.open_slot(folder, "episode")
        self.outbox = topics.open_slot(folder, "outbox")
        self._chunk = topics.open_chunk(folder, settings.task.action.size)
        self._local = topics.open_slot(folder, "local_input")
        self._arms = {
            name: _ArmSlots(
                arm_topics.arm_folder(folder, name), joints, len(settings.cell.sensors[name])
            )
            for name, joints in settings.cell.joints.items()
        }
        self._truth = simulation_topics.open_truth(folder) if settings.cell.simulated else None
        self._pace = _Pace()
        self._cameras = open_cameras(folder, settings)

    def snapshot(self, now_ns: int) -> Snapshot | None:
        """None until control, actor and arm have said something."""
        spoke = all(arm.spoke for arm in self._arms.values())
        if not (self.control.count and self.episode.count and spoke):
            return None
        arms = {name: arm.read() for name, arm in self._arms.items()}
        factor = min(arm.real_time_factor for arm in self._arms.values())
        oldest_ns = min(int(arm.state["t_ns"]) for arm in arms.values())
        return Snapshot(
            now_ns=now_ns,
            control=self.control.read(),
            episode=self.episode.read(),
            outbox=self.outbox.read(),
            arms=arms,
            chunk=_read(self._chunk),
            local=_read(self._local),
            frame_age_ms=frame_ages(self._cameras, now_ns),
            real_time_factor=factor or self._pace.factor(oldest_ns),
        )

    def standing(self) -> tuple[bytes, ...]:
        """What a person reacts to: it changes with the mode, the lease and the episode."""
        records = ((self.control.read(), _STANDING_OF_CONTROL), (self.episode.read(), _STANDING))
        return tuple(bytes(record[name]) for record, names in records for name in names)

    def truth(self) -> SimulatorTruth | None:
        """The simulator's true state; None on a real robot."""
        record = None if self._truth is None else _read(self._truth)
        return None if record is None else truth_of(record)


class _ArmSlots:
    """The slots of one arm."""

    def __init__(self, folder: Path, joints: int, sensors: int) -> None:
        self._state = arm_topics.open_state(folder, joints, sensors)
        self._command = arm_topics.open_command(folder)
        self._timing = arm_topics.open_timing(folder)
        self._finite: Record | None = None  # the newest state, as it is shown

    @property
    def spoke(self) -> bool:
        return self._state.count > 0

    @property
    def real_time_factor(self) -> float:
        """As the arm measured it last; 0: it has not."""
        return float(self._timing.read()["real_time_factor"]) if self._timing.count else 0.0

    def read(self) -> ArmReading:
        self._finite = _finite(self._state.read(), self._finite)
        return ArmReading(state=self._finite, command=_read(self._command))


def open_cameras(folder: Path, settings: DaemonSettings) -> dict[str, Frames]:
    return {name: open_frames(folder, name) for name in settings.cell.cameras}


def frame_ages(cameras: Mapping[str, Frames], now_ns: int) -> dict[str, float]:
    """Camera → age of its newest frame in ms; a camera without any is left out."""
    ages: dict[str, float] = {}
    for name, frames in cameras.items():
        newest = frames.newest()
        if newest is not None:
            ages[name] = max(now_ns - newest[1], 0) * 1e-6
    return ages


def telemetry_of(
    seen: Snapshot,
    *,
    instructions: str,
    contacts: Mapping[str, Contact],
    profiles: Sequence[SelectableProfile],
    recorded: OutboxStatus,
) -> Telemetry:
    """The message. `recorded` comes from the link itself, which knows the durable path."""
    active = _text(seen.control["limit_profiles"]).split()
    control, episode = seen.control, seen.episode
    speed_m_s = max(math.hypot(*arm.state["twist"][:3]) for arm in seen.arms.values())
    limits = int(control["limits"])
    for arm in seen.arms.values():
        limits |= int(arm.state["limits"])
    stage = EpisodeStage(_text(episode["stage"]) or "ready")
    waits = stage in (EpisodeStage.RESETTING, EpisodeStage.CONFIRM_RESET)
    version = _not_negative(episode["policy_version"]) if bool(episode["loaded"]) else None
    mode, cause = Mode(_text(control["mode"]) or "idle"), _text(control["cause"])
    fault = FaultCode(latched) if (latched := _text(control["fault"])) else None
    if seen.now_ns - int(control["t_ns"]) > CONTROL_SILENT_NS:
        mode, fault = Mode.FAULT, FaultCode.CONTROL_SILENT
        cause = sentence(fault)
    local = seen.local if seen.local is not None and bool(seen.local["connected"]) else None
    return Telemetry(
        t_ns=seen.now_ns,
        mode=mode,
        cause=cause,
        fault=fault,
        source=Source(_text(control["source"]) or "hold"),
        phase=Phase(phase) if (phase := _text(control["phase"])) else None,
        intervention_id=_id(control["intervention_id"]),
        lease=_lease(control, seen.now_ns),
        arms={name: _arm(arm, contacts[name]) for name, arm in seen.arms.items()},
        speed_m_s=speed_m_s,
        speed_limit_m_s=float(control["speed_limit"]),
        limits=limit_names(limits),
        risk=risk_status(seen, held=bool(limits & Limit.RISK)),
        limit_profiles=tuple(_profile(each, active) for each in profiles),
        policy_version=version,
        inference_ms=_milliseconds(episode["inference_s"]),
        action_age_ms=_number(control["action_age_ms"]),
        episode=_episode(episode, stage, seen.now_ns, instructions if waits else ""),
        loop=_loop(control, seen.real_time_factor),
        outbox=recorded,
        frame_age_ms=dict(seen.frame_age_ms),
        device_axes=None if local is None else _floats(local["axes"]),
        device_name=None if local is None else _text(local["device"]),
        round_trip_ms=_number(control["round_trip_ms"]),
        moving=bool(control["moving"]) or not at_rest(speed_m_s),
    )


def _profile(profile: SelectableProfile, active: Sequence[str]) -> LimitProfileStatus:
    by = profile.chosen_by
    return LimitProfileStatus(
        name=profile.name,
        text=profile.text,
        active=profile.name in active,
        chosen_by=None if by is None or by is ChosenBy.BUTTON else by.value,
        speed_m_s=profile.speed_m_s,
        force_n=profile.force_n,
    )


def _arm(seen: ArmReading, contact: Contact) -> ArmTelemetry:
    """Before the first command the reference is where the arm is."""
    state, wrench = seen.state, _floats(seen.state["wrench"])
    force_n, torque_nm = contact.limits(seen.command)
    wanted = state if seen.command is None else seen.command
    return ArmTelemetry(
        tcp_position_m=_floats(state["position"]),
        tcp_quaternion_wxyz=_floats(state["quaternion"]),
        reference_position_m=_floats(wanted["position"]),
        tcp_twist=_floats(state["twist"]),
        wrench=wrench,
        gripper_m=float(state["gripper_m"]),
        force_n=math.hypot(*wrench[:3]),
        force_limit_n=force_n,
        torque_nm=math.hypot(*wrench[3:]),
        torque_limit_nm=torque_nm,
    )


def truth_of(record: Record) -> SimulatorTruth:
    """The message of one sim_truth record."""
    return SimulatorTruth(
        t_ns=int(record["t_ns"]),
        objects=tuple(
            TruthObject(
                name=_text(record["names"][index]),
                position_m=_floats(record["poses"][index][:3]),
                quaternion_wxyz=_floats(record["poses"][index][3:]),
            )
            for index in range(int(record["objects"]))
        ),
        success=bool(record["success"]),
        progress=float(record["progress"]),
        reset_count=int(record["resets"]),
    )


def limit_names(bits: int) -> tuple[str, ...]:
    """Names of the limits in a record's bits, lowest bit first."""
    return tuple(limit.name.lower() for limit in Limit(bits) if limit.name is not None)


class _Pace:
    """How fast virtual time runs, where the arm does not measure it: over the last wall second."""

    def __init__(self) -> None:
        self._wall_s, self._robot_ns, self._factor = time.monotonic(), 0, 1.0

    def factor(self, robot_ns: int) -> float:
        now = time.monotonic()
        passed = now - self._wall_s
        if passed >= 1.0:
            if self._robot_ns:
                self._factor = (robot_ns - self._robot_ns) * 1e-9 / passed
            self._wall_s, self._robot_ns = now, robot_ns
        return self._factor


def _lease(control: Record, now_ns: int) -> LeaseStatus:
    holder = _text(control["lease_holder"])
    since, asked_by = int(control["lease_since_ns"]), _text(control["lease_asked_by"])
    left_ns = max(int(control["lease_asked_until_ns"]) - now_ns, 0)
    return LeaseStatus(
        epoch=int(control["lease_epoch"]),
        holder=holder or None,
        client_id=_id(control["lease_client"]),
        suspended=bool(control["lease_suspended"]),
        since_s=max(now_ns - since, 0) * 1e-9 if holder else 0.0,
        asked_by=asked_by or None,
        asked_client_id=_id(control["lease_asked_client"]),
        asked_s=left_ns * 1e-9 if asked_by else None,
    )


def _episode(record: Record, stage: EpisodeStage, now_ns: int, instructions: str) -> EpisodeStatus:
    running = stage in (EpisodeStage.RUNNING, EpisodeStage.AWAIT_LABEL)
    started = int(record["started_ns"])
    return EpisodeStatus(
        episode_id=_id(record["episode_id"]),
        number=int(record["number"]),
        stage=stage,
        purpose=Purpose(_text(record["purpose"]) or "training"),
        seed=int(record["seed"]),
        step=int(record["step"]),
        max_steps=int(record["max_steps"]),
        human_steps=int(record["human_steps"]),
        interventions=int(record["interventions"]),
        elapsed_s=max(now_ns - started, 0) * 1e-9 if running and started else 0.0,
        instructions=instructions,
        success_seen=bool(record["success_seen"]),
        start_refusal=_text(record["start_refusal"]),
    )


def _loop(control: Record, real_time_factor: float) -> LoopStatus:
    return LoopStatus(
        period_p50_us=float(control["period_p50_us"]),
        period_p99_us=float(control["period_p99_us"]),
        period_p999_us=float(control["period_p999_us"]),
        period_max_us=float(control["period_max_us"]),
        latency_p50_us=float(control["latency_p50_us"]),
        latency_p99_us=float(control["latency_p99_us"]),
        latency_p999_us=float(control["latency_p999_us"]),
        latency_max_us=float(control["latency_max_us"]),
        missed_ticks=int(control["missed_ticks"]),
        real_time_factor=real_time_factor,
    )


def _finite(arm: Record, before: Record | None) -> Record:
    """The record with each field that is NaN or infinite as it was before, or 0: a message holds
    numbers only. That the measurements cannot be used is told by control's fault.
    """
    for name in arm.dtype.names or ():
        if arm[name].dtype.kind == "f" and not np.isfinite(arm[name]).all():
            arm[name] = 0.0 if before is None else before[name]
    return arm


def _read(slot: Slot) -> Record | None:
    return slot.read() if slot.count else None


def risk_status(seen: Snapshot, *, held: bool) -> RiskStatus | None:
    """None without a critic, and where the newest decision is old."""
    chunk = seen.chunk
    if chunk is None or seen.now_ns - int(chunk["observation_ns"]) > RISK_SHOWN_NS:
        return None
    risk = topics.risk_of(chunk)
    if risk is None:
        return None
    return RiskStatus(
        risk=risk,
        threshold=topics.risk_threshold_of(chunk),
        held=held,
        vetoes=int(seen.episode["risk_vetoes"]),
        overrides=int(seen.episode["risk_overrides"]),
    )


def _text(value: Any) -> str:
    return bytes(value).rstrip(b"\0").decode(errors="replace")


def _id(value: Any) -> UUID | None:
    raw = bytes(value)
    return None if raw == _NO_ID else UUID(bytes=raw)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=np.float64).tolist())


def _number(value: Any) -> float | None:
    """NaN means unknown."""
    number = float(value)
    return number if math.isfinite(number) else None


def _milliseconds(seconds: Any) -> float | None:
    value = _number(seconds)
    return None if value is None or value <= 0 else value * 1e3


def _not_negative(value: Any) -> int | None:
    number = int(value)
    return number if number >= 0 else None
