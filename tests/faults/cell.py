"""A whole simulated robot in one process, on a clock that the test moves: for injecting faults.

Arm and control are the ones of the robot PC: `ArmHost` with its door and watchdog, `ControlLoop`
with its deadlines, and shared memory between them. Only the two processes are missing, so that a
party that stands still, dies or is deaf does so exactly when a test says so. The measured speed of
the TCP is noted at every step of the physics: by it, and by nothing else, a hold is judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hardware.arm_process import ArmHost
from robot_rl.config import load_cell, load_task
from robot_rl.daemon.control.process import ControlLoop
from robot_rl.daemon.devices.launch import hosted_arm
from robot_rl.daemon.settings import DaemonSettings
from safety.faults import FaultCode, bound_ms
from safety.standstill import at_rest
from safety.vocabulary import ONLY_ARM
from tests.daemon.conftest import MS, Robot

FAST = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
"""What a person's device says at full speed."""
FULL = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
"""A full action of the policy."""


class HandClock:
    """Robot time, ns, as the test moves it."""

    virtual = True  # the latch is on the disk before the tick ends

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def wait_until_ns(self, t_ns: int, timeout_s: float = 1.0) -> bool:
        return t_ns <= self.t_ns

    def grant_until_ns(self, t_ns: int) -> None:
        """Time is the test's."""

    def leave(self) -> None:
        """Time is the test's."""


class FaultCell(Robot):
    """`frozen_until_ns`: control does not turn before. `dead`: it never turns again."""

    def __init__(
        self, folder: Path, *, limits: Mapping[str, Any] | None = None, **control: Any
    ) -> None:
        """`limits`: changes to the cell's limits. `control`: changes to the settings of the core
        (robot_rl.daemon.control.settings).
        """
        cell = load_cell("simulation")
        if limits is not None and cell.limits is not None:
            cell = cell.model_copy(update={"limits": cell.limits.model_copy(update=limits)})
        settings = DaemonSettings(
            cell=cell,
            task=load_task("lift_cube"),
            data_folder=folder / "data",
            memory=folder / "memory",
        )
        settings.memory.mkdir()
        settings.data_folder.mkdir()
        super().__init__(settings)
        self.hand_clock = HandClock()
        self.host = ArmHost(hosted_arm(ONLY_ARM, settings))
        self.host.guarded.arm.warm_up()
        self.host.publish(0)
        self.frozen_until_ns, self.dead = 0, False
        self.turns = 0  # of control
        self.speeds: list[tuple[int, float]] = []  # robot time, ns; measured, m/s
        self.moved: list[Callable[[int], None]] = []  # called at every step of the physics
        self._arm_due_ns = self.host.period_ns
        self._changes = control
        self.start_control()

    def start_control(self) -> None:
        """As the supervisor starts its process (again)."""
        self.loop = ControlLoop(self.settings, self.hand_clock)
        core = self.loop.controller
        core.settings = replace(core.settings, **self._changes)
        self.dead = False

    def set_critic(self, *, required: bool, threshold: float) -> None:
        """The gates judge the policy's risk from now on."""
        for channel in self.loop.controller.channels:
            channel.gate.settings = replace(
                channel.gate.settings, risk_required=required, risk_threshold=threshold
            )

    def end(self) -> None:
        self.loop.close()
        self.host.guarded.arm.close()

    # ---- time -----------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.hand_clock.t_ns

    def run(self, duration_ms: int) -> None:
        until_ns = self.now_ns + duration_ms * MS
        while (next_ns := min(self._arm_due_ns, self._control_due_ns)) <= until_ns:
            self.hand_clock.t_ns = next_ns
            if next_ns == self._arm_due_ns:
                self._step()
            if next_ns == self._control_due_ns:
                self.loop.turn()
                self.turns += 1
        self.hand_clock.t_ns = until_ns
        self.collect()

    @property
    def _control_due_ns(self) -> int:
        if self.dead:
            return self.now_ns + 10**12
        return max(self.loop.due_ns, self.frozen_until_ns)

    def _step(self) -> None:
        now_ns, host = self._arm_due_ns, self.host
        host.tick(now_ns)
        host.publish(now_ns)
        host.serve_requests(now_ns)
        self._arm_due_ns += host.period_ns
        self.speeds.append((now_ns, self.speed_m_s()))
        for look in self.moved:
            look(now_ns)

    def freeze_control(self, duration_ms: int) -> None:
        """It stands still before its next turn."""
        self.frozen_until_ns = self.now_ns + duration_ms * MS

    # ---- motion ---------------------------------------------------------------------------------

    def person_drives(self) -> None:
        """Ada drives at full speed."""
        self.take_over()
        self.drive_for(300, axes=FAST)
        assert self.speed_m_s() > 0.2, "it moves at full speed"

    def policy_drives(self, *, actions: int = 3) -> None:
        """Right after this the last of the `actions` ends, if there are three."""
        self.begin_autonomy()
        self.offer([FULL] * actions)
        self.run(self.settings.task.action_delay_ns // MS + 300)
        assert self.speed_m_s() > 0.2, "it moves at full speed"

    def hold_after_ms(self, since_ns: int) -> float:
        """From `since_ns` until the measured TCP rested, and stayed so until now; infinite: it
        moves still.
        """
        moving = [t_ns for t_ns, speed in self.speeds if t_ns > since_ns and not at_rest(speed)]
        if not moving:
            return 0.0
        if moving[-1] == self.speeds[-1][0]:
            return float("inf")
        return (moving[-1] + self.host.period_ns - since_ns) / MS

    def assert_holds(self, fault: FaultCode, since_ns: int) -> None:
        """The arm stands within the bound of the fault table, and stays for 300 ms more."""
        within_ms = bound_ms(fault)
        self.run(max(within_ms + 300 - (self.now_ns - since_ns) // MS, 0))
        took_ms = self.hold_after_ms(since_ns)
        assert took_ms <= within_ms, f"{fault}: the TCP rests after {took_ms:.0f} ms"

    def way_m(self, begin_m: Any) -> float:
        """How far the measured TCP is from `begin_m` (3,)."""
        return float(np.linalg.norm(self.position_m - begin_m))
