"""The process of the simulated arm in lock-step, of which control is a guest.

The loop, the gate, the arm's door and the shared memory between them are the ones of real time;
only who gives control its turn differs. There they are two processes: an arm outlives control.
"""

from functools import partial

from hardware import arm_process
from hardware.clock import open_clock
from robot_rl.daemon.control.process import ControlLoop
from robot_rl.daemon.devices.launch import hosted_arm
from robot_rl.daemon.settings import DaemonSettings


def main(settings: DaemonSettings, priority: int) -> None:
    """Run until the arm is asked to stop. An error in control ends both."""
    (name,) = settings.cell.arms  # a simulated arm is the only one of its cell
    arm_process.main(hosted_arm(name, settings), priority, partial(_control, settings))


def _control(settings: DaemonSettings) -> ControlLoop:
    # It holds back time by its deadline, which the owner looks at, and registers no party.
    return ControlLoop(settings, open_clock(settings.memory, virtual=True, party=None))
