"""The server as a process: opens the port and the database, runs until it is told to stop."""

import gc
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from robot_rl.server import migration
from robot_rl.server.accounts import sessions, users
from robot_rl.server.app import create_app
from robot_rl.server.connections import bounded_connections
from robot_rl.server.database import Database, open_database
from robot_rl.server.services import Services
from robot_rl.server.settings import ServerProblem, ServerSettings

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 1  # for requests that run when the server is stopped
BACKLOG = 128  # the event loop accepts as many at a time
PING_S = 5.0
PONG_S = 15.0
LIVE_FRAME_LIMIT_BYTES = 4 * 2**20  # one camera image at most

_log = logging.getLogger(__name__)


def run(settings: ServerSettings) -> None:
    """Until SIGINT or SIGTERM. Raises ServerProblem, with nothing left running."""
    with listen(settings) as listener:
        database = open_database(settings)
        try:
            migration.prepare(database)
            users.ensure_admin(database, settings.user)
            _check_accounts(database, settings)
            if settings.print_login:
                print(f"Open the console: {_address(database, settings)}", flush=True)
            server = configured(settings, create_app(settings, database))
            _spare_collections()
            server.run(sockets=[listener])
            if server.problem is not None:
                raise server.problem
        finally:
            database.close()


def _spare_collections() -> None:
    """Let the garbage collector pass over what stays for ever, the modules above all: a full
    collection of it took 90 ms, in which nobody's STOP was heard.
    """
    gc.collect()
    gc.freeze()


def _check_accounts(database: Database, settings: ServerSettings) -> None:
    if settings.secure and not users.admin_has_password(database):
        admin = users.first_admin(database)
        raise ServerProblem(
            f"the server is reached at {settings.origin} only when an admin has a password: "
            f"run `robot-rl users set-password {admin}`, then start it again"
        )


def _address(database: Database, settings: ServerSettings) -> str:
    """With a one-time link in it until an admin can sign in by password."""
    if users.admin_has_password(database):
        return settings.origin
    maker = sessions.Maker(account=users.first_admin(database))
    return sessions.issue_login(database, settings.origin, maker)


def listen(settings: ServerSettings) -> socket.socket:
    """The port is taken first: nothing is started beside a server that runs already.

    asyncio sets TCP_NODELAY only on sockets that name their protocol; without it every answer
    waits 40 ms for the peer's delayed acknowledgement. Raises ServerProblem.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServerProblem(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
            "stop what uses the port, or choose another one with --port"
        ) from error
    return listener


class LiveServer(uvicorn.Server):
    """Ends long polls and WebSockets itself before uvicorn waits for them.

    problem: why it ended by itself.
    """

    problem: ServerProblem | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._services.database_watch.on_lost = self._give_up

    def _give_up(self, problem: ServerProblem) -> None:
        self.problem, self.should_exit = problem, True

    @property
    def _services(self) -> Services:
        return self.config.app.state.services  # type: ignore[union-attr]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but raises no signal again afterwards: the database has yet to stop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.hang_up()
        await super().shutdown(sockets)


def configured(settings: ServerSettings, app: FastAPI) -> LiveServer:
    """uvicorn, set for a live hub."""
    return LiveServer(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            # Never what happens to be installed beside it (robot-rl[metrics] brings uvloop).
            loop="asyncio",
            http=bounded_connections(settings.tls_context()),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PONG_S,
            backlog=BACKLOG,
            ws_max_size=LIVE_FRAME_LIMIT_BYTES,
            proxy_headers=settings.behind_proxy,  # who calls, by the word of a proxy beside it
            forwarded_allow_ips="127.0.0.1,::1",
            ws_per_message_deflate=False,  # latency before bytes; JPEG does not shrink
        )
    )
