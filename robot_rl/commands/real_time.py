"""Checks of `doctor`: what the control loop may ask of this machine."""

import ctypes
import os
from pathlib import Path

from robot_rl.commands.finding import Finding, ok, warning
from robot_rl.daemon.supervisor.processes import CONTROL_PRIORITY

_MCL_CURRENT = 1
_REAL_TIME = Path("/sys/kernel/realtime")
_GOVERNORS = "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"
_LIMITS = "/etc/security/limits.conf"


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
