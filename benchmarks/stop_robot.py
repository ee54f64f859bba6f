"""A robot's link that says what a robot says, 20 times a second, and moves nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.sync.client import ClientConnection

from robot_rl.schema.live.robot_message import RobotHello
from robot_rl.schema.live.telemetry import Telemetry

ROBOT = "panda"
_TALK_S = 0.05
_TIMES = ("period", "latency")
_SHARES = ("p50", "p99", "p999", "max")
_TELEMETRY = Telemetry.model_validate(
    {
        "t_ns": 1,
        "mode": "autonomous",
        "cause": "",
        "source": "policy",
        "phase": None,
        "intervention_id": None,
        "lease": {
            "epoch": 1, "holder": None, "client_id": None, "suspended": False, "since_s": 0.0,
        },
        "arms": {
            "arm": {
                "tcp_position_m": (0.4, 0.0, 0.2),
                "tcp_quaternion_wxyz": (1.0, 0.0, 0.0, 0.0),
                "reference_position_m": (0.4, 0.0, 0.2),
                "tcp_twist": (0.0,) * 6,
                "wrench": (0.0,) * 6,
                "gripper_m": 0.04,
                "force_n": 0.0,
                "force_limit_n": 20.0,
                "torque_limit_nm": 15.0,
            }
        },
        "speed_m_s": 0.0,
        "speed_limit_m_s": 0.5,
        "limits": (),
        "policy_version": 1,
        "inference_ms": 5.0,
        "action_age_ms": 50.0,
        "episode": {
            "episode_id": None, "number": 1, "stage": "running", "purpose": "training", "seed": 1,
            "step": 1, "max_steps": 100, "human_steps": 0, "interventions": 0, "elapsed_s": 0.1,
            "instructions": "", "success_seen": False,
        },
        "loop": {f"{time}_{share}_us": 50.0 for time in _TIMES for share in _SHARES}
        | {"missed_ticks": 0, "real_time_factor": 1.0},
        "outbox": {
            "pending": 0, "recorded_steps": 1, "acknowledged_sequence": 1, "last_sequence": 1,
            "connected": True, "free_bytes": 10**9, "accepting": True,
        },
        "frame_age_ms": {"front": 20.0},
        "device_axes": None,
        "device_name": None,
        "round_trip_ms": None,
        "moving": True,
    }
)  # fmt: skip


@contextmanager
def talking(link: ClientConnection) -> Iterator[None]:
    """Says hello, then telemetry, until it is left."""
    hello = RobotHello(
        robot=ROBOT,
        task="lift_cube",
        cell="simulation",
        arms=("arm",),
        cameras=("front",),
        emergency_stop="left of the table",
        simulated=True,
        lockstep=False,
    )
    link.send(hello.model_dump_json())
    ended = threading.Event()

    def talk() -> None:
        while not ended.wait(_TALK_S):
            now = _TELEMETRY.model_copy(update={"t_ns": time.monotonic_ns()})
            link.send(now.model_dump_json())

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    time.sleep(1.0)  # until it is known
    try:
        yield
    finally:
        ended.set()
        talker.join()
