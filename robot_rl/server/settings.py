"""What a server is started with."""

import os
import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from robot_rl.errors import PlainError

DEFAULT_PORT = 8420
CONSOLE_FOLDER = Path(__file__).resolve().parent / "console"
DATABASE_URL_VARIABLE = "DATABASE_URL"
BLOB_URL_VARIABLE = "BLOB_URL"
ROBOT_TOKENS = "ROBOT_RL_ROBOT_TOKENS"
_PUBLIC_URL = re.compile(r"https://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]+)?")
_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})


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
    blob_url: a bucket to keep blobs in, `s3://BUCKET/PREFIX`, instead of the data folder.
    origins: further web origins that may use a session, as the console's development server.
    public_url: where people and robots reach it, `https://NAME[:PORT]`: its own TLS, or a proxy's.
    tls_certificate, tls_key: PEM files, for TLS without a proxy.
    """

    data: Path = Path("data")
    database_url: str | None = field(default=None, repr=False)
    blob_url: str | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    console: Path = CONSOLE_FOLDER
    grants: tuple[Grant, ...] = ()
    origins: tuple[str, ...] = ()
    print_login: bool = True
    user: str = "operator"
    public_url: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ServerProblem(f"port {self.port} is not a port: give a number from 1 to 65535")
        if not is_loopback(self.host) and self.tls_certificate is None:
            raise ServerProblem(
                f"the server listens on {self.host} with TLS only: give --tls-certificate and "
                "--tls-key, or --host 127.0.0.1 behind a proxy that has TLS (docs/deployment.md)"
            )
        self._check_tls()

    def _check_tls(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ServerProblem("TLS needs both files: give --tls-certificate and --tls-key")
        for file in (self.tls_certificate, self.tls_key):
            if file is not None and not file.is_file():
                raise ServerProblem(f"there is no file {file}: name the PEM file of the TLS")
        self.tls_context()
        if self.public_url is not None and _PUBLIC_URL.fullmatch(self.public_url) is None:
            raise ServerProblem(
                f"--public-url {self.public_url} is not of the form https://NAME or "
                "https://NAME:PORT: correct it"
            )
        if self.public_url is None and self.host in _ANY_ADDRESS:
            raise ServerProblem(
                f"the server listens on {self.host} under a name: give --public-url https://NAME"
            )

    def tls_context(self) -> ssl.SSLContext | None:
        """Made anew from the files, where the server itself speaks TLS. Raises ServerProblem."""
        if self.tls_certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.tls_certificate, self.tls_key)
        except ssl.SSLError as error:
            raise ServerProblem(
                f"{self.tls_certificate} and {self.tls_key} are no certificate and its key in "
                f"PEM ({error.reason}): name files that belong together"
            ) from error
        return context

    @property
    def origin(self) -> str:
        """Where a browser finds it: `http://127.0.0.1:8420`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "http" if self.tls_certificate is None else "https"
        return self.public_url or f"{scheme}://{host}:{self.port}"

    @property
    def names(self) -> frozenset[str]:
        """By which it may be asked for, besides those of loopback."""
        return frozenset({urlsplit(self.origin).hostname or "", self.host})

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS, its own or a proxy's."""
        return self.origin.startswith("https:")

    @property
    def behind_proxy(self) -> bool:
        return self.secure and self.tls_certificate is None

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


def blob_url_from_environment() -> str | None:
    return os.environ.get(BLOB_URL_VARIABLE) or None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
