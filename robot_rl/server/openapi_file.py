"""The server's interface as a file, from which the console's TypeScript is generated.

`python -m robot_rl.server.openapi_file PATH` writes it.
"""

import json
import sys
from pathlib import Path

from robot_rl.server.app import create_app
from robot_rl.server.settings import ServerSettings


def write(path: Path) -> None:
    document = create_app(ServerSettings()).openapi()
    path.write_text(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m robot_rl.server.openapi_file PATH")
    write(Path(sys.argv[1]))
