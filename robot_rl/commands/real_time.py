"""Checks of `doctor`: what the control loop may ask of this machine."""

import ctypes
import importlib.util
import os
from pathlib import Path

from robot_rl.commands.finding import Finding, ok, warning
from robot_rl.daemon.supervisor.processes import CONTROL_PRIORITY

_MCL_CURRENT = 1
_REAL_TIME = Path("/sys/kernel/realtime")
_GOVERNORS = "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"
_LIMITS = "/etc/security/limits.conf"
_LOOP_S = 2.0  # the arm's process takes ten, before it opens a real arm


def scheduling() -> list[Finding]:
    """Asks for SCHED_FIFO and gives it back."""
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(CONTROL_PRIORITY))
    except PermissionError:
        return [
            warning(
                "SCHED_FIFO",
                "refused, so the control loop's timing depends on the machine's load",
                f"add `{_user()} - rtprio 99` to {_LIMITS} and sign in again, or start the daemon "
                "from deploy/systemd",
            )
        ]
    os.sched_setscheduler(0, before, parameters)
    return [ok("SCHED_FIFO", f"allowed at priority {CONTROL_PRIORITY}")]


def locked_memory() -> list[Finding]:
    """Asks for locked memory and gives it back."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT) != 0:
        return [
            warning(
                "locked memory",
                "refused, so paging may delay the control loop",
                f"add `{_user()} - memlock unlimited` to {_LIMITS} and sign in again, or start the "
                "daemon from deploy/systemd",
            )
        ]
    libc.munlockall()
    return [ok("locked memory", "allowed")]


def kernel() -> list[Finding]:
    release = os.uname().release
    if _REAL_TIME.is_file() and _REAL_TIME.read_text().strip() == "1":
        return [ok("kernel", f"{release}, PREEMPT_RT")]
    return [ok("kernel", f"{release}; not PREEMPT_RT, which arms driven at 1 kHz from here need")]


def torque_loop() -> list[Finding]:
    """An empty loop of 1 kHz for two seconds: may an arm be driven by torque from here?"""
    if importlib.util.find_spec("numba") is None:
        return [ok("torque loop", "not measured: numba is missing, which only a robot's PC needs")]
    from hardware import self_test
    from hardware.torque_loop import PRIORITY

    times, _ = self_test.empty_loop(_LOOP_S, PRIORITY)
    text = (
        f"1 kHz for {_LOOP_S:g} s, empty: late by p50 {times.ready.p50:.0f}, p99.9 "
        f"{times.ready.p999:.0f}, largest {times.ready.largest:.0f} µs; {times.missed} periods "
        f"missed, {times.missed_in_a_row} in a row ({self_test.MISSED_ALLOWED} allowed)"
    )
    if self_test.refusal(times):
        mend = "end other programs and allow SCHED_FIFO; real arms driven by torque are refused"
        return [warning("torque loop", text, mend)]
    return [ok("torque loop", text)]


def governor() -> list[Finding]:
    found = {path.read_text().strip() for path in Path("/sys").glob(_GOVERNORS)}
    if not found:
        return [ok("processor clock", "not adjustable here, as in a virtual machine")]
    if found != {"performance"}:
        return [
            warning(
                "processor clock",
                f"governor {', '.join(sorted(found))}: the clock's changes delay the control loop",
                "`cpupower frequency-set -g performance`",
            )
        ]
    return [ok("processor clock", "governor performance")]


def _user() -> str:
    return os.environ.get("USER") or "root"
