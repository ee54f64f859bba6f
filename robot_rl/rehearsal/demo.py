"""`robot-rl demo`: everything on this machine, in simulation, until Ctrl-C."""

import shutil
import sys
import time
import webbrowser

import httpx

from robot_rl.rehearsal.system import System, SystemSettings

_CHECK_S = 0.5


def run(settings: SystemSettings, *, open_browser: bool) -> None:
    """Start everything, say where the console is, and stop in order on Ctrl-C."""
    started = time.monotonic()
    with System(settings) as system:
        robot = _wait_robot(system)
        link = login_link(system)
        print(f"robot-rl: {robot} is live after {time.monotonic() - started:.0f} s", flush=True)
        print(f"robot-rl: open {link} (works once; Ctrl-C stops everything)", flush=True)
        if open_browser and _has_browser():
            webbrowser.open(link)
        try:
            while True:
                time.sleep(_CHECK_S)
                system.check()
        except KeyboardInterrupt:
            print("\nrobot-rl: stopping, the arm first …", file=sys.stderr, flush=True)
    print(f"robot-rl: stopped; the recorded data is in {settings.data}", flush=True)


def _wait_robot(system: System) -> str:
    """Wait for the robot's live link; its name."""
    found: list[str] = []

    def here() -> bool:
        answer = _call(system, "GET", "/api/robots").json()
        found[:] = [robot["robot"] for robot in answer["robots"] if robot["connected"]]
        return bool(found)

    system.wait_for(here, 90, "the robot has not connected")
    return found[0]


def login_link(system: System) -> str:
    """Signs a browser in as an admin: of a new data folder there is one, called operator."""
    people = _call(system, "GET", "/api/users").json()["users"]
    admin = next(person["name"] for person in people if person["role"] == "admin")
    return str(_call(system, "POST", f"/api/users/{admin}/login-links").json()["url"])


def _call(system: System, method: str, path: str) -> httpx.Response:
    answer = httpx.request(
        method,
        system.url + path,
        headers={"Authorization": f"Bearer {system.tokens.admin}"},
        timeout=10.0,
    )
    answer.raise_for_status()
    return answer


def _has_browser() -> bool:
    """Only where there is a screen: on a server, `webbrowser` would open a text browser."""
    return sys.platform == "darwin" or shutil.which("xdg-open") is not None
