"""One driver's own word on what is attached, as JSON: `python -m robot_rl.commands.attached`."""

import sys

from robot_rl.commands.devices import FOUND
from robot_rl.config.drivers import find


def main(group: str, name: str) -> None:
    """Ends with whatever the driver or its library raises."""
    print(FOUND.dump_json(tuple(find(group, name).attached())).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
