"""What a server is started with."""

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from robot_rl.errors import PlainError

DEFAULT_PORT = 8420
CONSOLE_FOLDER = Path(__file__).resolve().parent / "console"
DATABASE_URL_VARIABLE = "DATABASE_URL"
ROBOT_TOKENS = "ROBOT_RL_ROBOT_TOKENS"


class ServerProblem(PlainError):
    """The server cannot start or go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token that the person who starts the server chose in advance."""

    role: str
    name: str
    secret: str = field(repr=False)


def robot_grants(text: str) -> tuple[Grant, ...]:
    """Of `NAME=TOKEN NAME=TOKEN`, each of one robot alone. Raises ServerProblem."""
    pairs = [word.partition("=") for word in text.split()]
    if not all(name and secret for name, _, secret in pairs):
        raise ServerProblem(
            f"{ROBOT_TOKENS} is not of the form NAME=TOKEN NAME=TOKEN, each with the name of a "
            "robot: correct it"
        )
    return tuple(Grant(role="robot", name=name, secret=secret) for name, _, secret in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Checked on construction. Raises ServerProblem.

    data: folder of the embedded database and of the blobs.
    database_url: a Postgres server to use instead of the embedded one.
    origins: further web origins that may use a session, as the console's development server.
    """

    data: Path = Path("data")
    database_url: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    console: Path = CONSOLE_FOLDER
    grants: tuple[Grant, ...] = ()
    origins: tuple[str, ...] = ()
    print_login: bool = True
    user: str = "operator"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ServerProblem(f"port {self.port} is not a port: give a number from 1 to 65535")
        if not is_loopback(self.host):
            raise ServerProblem(
                f"the server does not listen on {self.host} because there are no accounts yet: "
                "give --host 127.0.0.1 and reach it from elsewhere through an SSH tunnel"
            )

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:8420`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def cookie(self) -> str:
        """Browsers share cookies between the ports of a host: the port keeps two servers apart."""
        return f"robot_rl_session_{self.port}"

    @property
    def postgres_folder(self) -> Path:
        return self.data / "postgres"

    @property
    def blob_folder(self) -> Path:
        return self.data / "blobs"

    @property
    def incoming_folder(self) -> Path:
        """Of files that have not been sent whole yet."""
        return self.data / "incoming"


def database_url_from_environment() -> str | None:
    return os.environ.get(DATABASE_URL_VARIABLE) or None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
