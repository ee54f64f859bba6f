"""A wall clock that can be set for some processes only: a small library in front of the C library.

Processes that were started with `environment` see the time that `WallClock.set` says; all others,
and every monotonic clock, go on as ever.
"""

import ctypes
import mmap
import os
import shutil
import subprocess
from pathlib import Path

FILE = "ROBOT_RL_WALL_CLOCK"
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long unmoved_s;
static volatile long *moved_s = &unmoved_s;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("ROBOT_RL_WALL_CLOCK");
  int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0) return;
  void *seen = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (seen != MAP_FAILED) moved_s = seen;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += *moved_s;
  return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  int failed = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return failed;
}
time_t time(time_t *into) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (into) *into = exact.tv_sec;
  return exact.tv_sec;
}
"""


class WallClock:
    """Set by who holds this, or by a process that opens the same file."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(ctypes.sizeof(ctypes.c_long)))
        with file.open("r+b") as opened:
            self._moved_s = ctypes.c_long.from_buffer(mmap.mmap(opened.fileno(), 0))

    def set(self, seconds: int) -> None:
        """So much before or behind the real one."""
        self._moved_s.value = seconds


def environment(folder: Path) -> dict[str, str] | None:
    """Of processes whose wall clock can be set by `folder`/wall; None: there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    source, library = folder / "wall_clock.c", folder / "wall_clock.so"
    source.write_text(_SOURCE)
    command = [compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    WallClock(folder / "wall")
    return {"LD_PRELOAD": str(library), FILE: str(folder / "wall")}


def opened() -> WallClock:
    """By a process that was started so. Raises KeyError in another one."""
    return WallClock(Path(os.environ[FILE]))
