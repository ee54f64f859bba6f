"""What every child process does before its own work, and how it ends with its supervisor."""

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress

from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.processes import Orphaned, needed, resolve

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_ORPHAN_GRACE_S = 5.0


def run(name: str, settings: DaemonSettings, supervisor: int) -> None:
    """Run one row of the table. Imported modules are the row's, after its environment is set."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    entry = next(entry for entry in needed(settings) if entry.name == name)
    os.environ.update(entry.environment)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NAME, f"robot-{name}".encode()[:15], 0, 0, 0)
    if entry.orphaned is not Orphaned.BY_ITSELF:
        libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != supervisor:
        return  # it died before the line above
    if entry.orphaned is Orphaned.WATCHED:
        threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    priority = () if entry.priority is None else (entry.priority,)
    resolve(entry.target)(entry.argument(settings), *priority)
    # The row has closed what it had open. To take torch, numba and OpenGL down module by module
    # would use up, on a busy machine, the time in which all has to end.
    with suppress(OSError):  # a disk that is full
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _end_with(supervisor: int) -> None:
    """A process that hangs does not outlive its supervisor by more than the grace."""
    while os.getppid() == supervisor:
        time.sleep(1.0)
    time.sleep(_ORPHAN_GRACE_S)
    os._exit(1)
