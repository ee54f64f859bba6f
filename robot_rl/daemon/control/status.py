"""The record that control publishes about itself (topics.CONTROL)."""

import math
from dataclasses import dataclass

import numpy as np

from hardware.memory import Records
from hardware.realtime import Percentiles
from robot_rl.daemon.control.controller import Controller
from robot_rl.daemon.topics import CONTROL, bounded
from safety import lease as leases
from safety.faults import FaultCode, sentence
from safety.standstill import at_rest
from safety.vocabulary import Mode

_NO_TIMES = Percentiles(p50=0.0, p99=0.0, p999=0.0, largest=0.0)


@dataclass(slots=True, kw_only=True)
class LoopTimes:
    """The loop's last window, µs, and its counts since the start."""

    period: Percentiles = _NO_TIMES
    latency: Percentiles = _NO_TIMES
    missed_ticks: int = 0
    ticks: int = 0


def control_record(controller: Controller, times: LoopTimes, limits: int, now_ns: int) -> Records:
    """One CONTROL record. `limits`: those that acted since the last one."""
    authority = controller.authority
    state, stopping, holder = authority.mode, authority.stop_report.stopping, authority.lease
    lease = holder.state
    record = np.zeros((), CONTROL)
    record["t_ns"] = now_ns
    record["mode"] = state.mode.encode()
    record["cause"] = bounded(_cause(controller), 160)
    record["fault"] = (state.fault or "").encode()
    record["epoch"] = state.epoch
    record["source"] = controller.source.encode()
    record["phase"] = (state.phase or "").encode()
    if authority.takeovers.intervention is not None:
        record["intervention_id"] = np.void(authority.takeovers.intervention.intervention_id.bytes)
    record["lease_epoch"] = lease.epoch
    record["lease_holder"] = bounded(holder.user, 64)
    if holder.client is not None:
        record["lease_client"] = np.void(holder.client.bytes)
    record["lease_suspended"] = lease.suspended
    record["lease_since_ns"] = holder.since_ns
    if holder.asked is not None and lease.pending is not None and lease.holder is not None:
        record["lease_asked_by"] = bounded(holder.asked.user, 64)
        record["lease_asked_client"] = np.void(holder.asked.client_id.bytes)
        record["lease_asked_until_ns"] = lease.pending.deadline_ns
    record["speed_limit"] = _speed_limit_m_s(controller)
    record["limits"] = limits
    record["limit_profiles"] = " ".join(authority.profiles.active).encode()
    record["moving"] = not at_rest(controller.speed_m_s)
    record["round_trip_ms"] = holder.round_trip_s * 1e3
    following = controller.following
    record["action_age_ms"] = (
        math.nan if following is None else (now_ns - following.observed_ns) / 1e6
    )
    record["policy_version"] = -1 if following is None else following.policy_version
    record["at_home"] = controller.at_home
    for name, found in (("period", times.period), ("latency", times.latency)):
        record[f"{name}_p50_us"] = found.p50
        record[f"{name}_p99_us"] = found.p99
        record[f"{name}_p999_us"] = found.p999
        record[f"{name}_max_us"] = found.largest
    record["missed_ticks"], record["ticks"] = times.missed_ticks, times.ticks
    if stopping is not None:
        record["stop_by"] = bounded(stopping.by, 64)
        record["stop_received_ns"] = stopping.received_ns
        record["stop_braking_ns"] = stopping.braking_ns or 0
        record["stop_stopped_ns"] = stopping.stopped_ns or 0
    return record


def _cause(controller: Controller) -> str:
    state = controller.authority.mode
    if state.mode is Mode.STOPPED:
        stopped = sentence(FaultCode.SOFTWARE_STOP, by=state.stopped_by)
        return f"{stopped} {state.cause}" if state.cause else stopped
    return state.cause or ""


def _speed_limit_m_s(controller: Controller) -> float:
    """What may be driven now: the gate's limit, or less while a person drives."""
    limit = min(channel.gate.limits.speed_m_s for channel in controller.channels)
    if controller.mode is not Mode.TAKEOVER:
        return limit
    settings = controller.settings
    factor = leases.speed_share(controller.authority.lease.round_trip_s)
    return min(limit, settings.remote.speed_m_s * settings.speed_scale * factor)
