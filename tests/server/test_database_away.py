"""While the database is away who was known is known, and a robot can be stopped and taken over."""

import time

import httpx
import pytest
from sqlalchemy import select
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from robot_rl.schema.live.client_message import AcquireLease, Pause, Stop
from robot_rl.schema.live.client_update import ClientWelcome
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import new_id
from robot_rl.server import remembered
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.tables import OperatorSessionTable
from tests.server.conftest import RunningServer, away
from tests.server.live_sockets import COMMAND, hear, hello, say
from tests.server.recordings import ROBOT


class Callers:
    """A robot and a person who were here before the database went away."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.robot, self.person = server.bearer("robot", ROBOT), server.bearer("operator", "ada")
        for headers in (self.robot, self.person):
            assert self.get("/api/me", headers).status_code == 200

    def get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        return httpx.get(f"{self.server.url}{path}", headers=headers, timeout=30)

    def dial(self, path: str, headers: dict[str, str]) -> ClientConnection:
        return connect(f"{self.server.live}/{path}", additional_headers=headers, compression=None)


@pytest.fixture
def callers(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Callers:
    monkeypatch.setattr(remembered, "FRESH_S", 0.0)  # the database is asked about every request
    return Callers(server)


def test_known_callers_come_in_and_the_robot_hears_them(
    callers: Callers, postgres: EmbeddedPostgres
) -> None:
    with away(postgres, callers.server.database):
        assert callers.get("/api/me", callers.person).json()["name"] == "ada"
        assert callers.get("/api/episodes", callers.person).status_code == 503
        with (
            callers.dial("robot", callers.robot) as robot,
            callers.dial(f"robots/{ROBOT}", callers.person) as person,
        ):
            say(robot, hello())
            client_id = hear(person, ClientWelcome).client_id
            while not callers.get("/api/robots", callers.person).json()["robots"]:
                time.sleep(0.01)
            for wanted in (Stop, Pause, AcquireLease):
                say(person, wanted(request_id=new_id()))
                came = hear(robot, FromClient, COMMAND)
                assert (came.client_id, type(came.message)) == (client_id, wanted)


def test_strangers_stay_out(callers: Callers, postgres: EmbeddedPostgres) -> None:
    stranger = {"Authorization": "Bearer made-up"}
    with away(postgres, callers.server.database):
        assert callers.get("/api/me", stranger).status_code == 503
        with pytest.raises(InvalidStatus) as refusal, callers.dial(f"robots/{ROBOT}", stranger):
            pass
        assert refusal.value.response.status_code == 503


def test_who_was_here_is_written_when_it_is_back(
    callers: Callers, postgres: EmbeddedPostgres
) -> None:
    database = callers.server.database
    with away(postgres, database), callers.dial(f"robots/{ROBOT}", callers.person) as person:
        client_id = hear(person, ClientWelcome).client_id
    sessions = select(OperatorSessionTable.user, OperatorSessionTable.disconnected_t_utc).where(
        OperatorSessionTable.client_id == client_id
    )
    while True:
        with database.engine.connect() as connection:
            row = connection.execute(sessions).one_or_none()
        if row is not None and row.disconnected_t_utc is not None:
            assert row.user == "ada"
            return
        time.sleep(0.05)
