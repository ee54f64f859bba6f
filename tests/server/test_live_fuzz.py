"""Whatever comes over a live socket: the server goes on, and its log names no defect."""

import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from robot_rl.schema.live.client_message import Drive, Label, Stop
from robot_rl.schema.message import new_id
from tests.server.conftest import RunningServer
from tests.server.live_sockets import dial_robot, hello, telemetry
from tests.server.recordings import ROBOT

SENT = [
    hello().model_dump(mode="json"),
    telemetry(1).model_dump(mode="json"),
    Stop(request_id=new_id()).model_dump(mode="json"),
    {"kind": "label", "request_id": str(new_id()), "outcome": "failure", "note": "it slipped"},
    {"kind": "drive", "axes": [0.0] * 6},
]
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.just("\0"),
    st.just("\ud800"),
    st.just("x" * 70_000),
    st.integers(),
    st.just(2**63),
    st.just(10**400),
    st.floats(),
    st.recursive(st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)


@st.composite
def frames(draw: st.DrawFn) -> str | bytes:
    """Rubbish, and messages with one value replaced."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.binary(max_size=300))
    if kind == 1:
        return draw(st.text(max_size=300))
    if kind == 2:
        return "[" * draw(st.integers(1, 5000))
    message = dict(draw(st.sampled_from(SENT)))
    message[draw(st.sampled_from(sorted(message)))] = draw(ODD)
    return json.dumps(message)


def send_all(socket: ClientConnection, sent: list[str | bytes]) -> None:
    for frame in sent:
        try:
            socket.send(frame)
        except ConnectionClosed:
            return
        except UnicodeEncodeError:  # the client's own library refuses it
            continue


PATHS = [
    ("robot", "robot"),
    ("robot/video", "robot"),
    (f"robots/{ROBOT}", "operator"),
    (f"robots/{ROBOT}/video", "viewer"),
]


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # a frame may have 70 kB
@pytest.mark.parametrize(("path", "role"), PATHS)
def test_rubbish_breaks_nothing(
    shared_server: RunningServer, caplog: pytest.LogCaptureFixture, path: str, role: str
) -> None:
    headers = shared_server.bearer(role, ROBOT if role == "robot" else None)

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.function_scoped_fixture),
    )
    @given(st.lists(frames(), max_size=8))
    def judge(sent: list[str | bytes]) -> None:
        with connect(
            f"{shared_server.live}/{path}", additional_headers=headers, compression=None
        ) as socket:
            send_all(socket, sent)

    with dial_robot(shared_server, "other", robot="other"):
        judge()
    with shared_server.client("viewer") as viewer:
        assert viewer.get("/api/robots").status_code == 200
    defects = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert defects == []


def test_the_messages_are_those_of_the_schema() -> None:
    """So that the fuzz reaches behind the first check."""
    Stop.model_validate(SENT[2])
    Label.model_validate(SENT[3])
    with pytest.raises(ValueError, match="lease_epoch"):
        Drive.model_validate(SENT[4])


@pytest.mark.parametrize("field", ["robot", "task", "cell", "emergency_stop"])
def test_what_a_robot_says_of_itself_can_be_stored(field: str) -> None:
    """A NUL in one of them ended what keeps the robots, beside the link."""
    with pytest.raises(ValueError, match="NUL"):
        hello(**{field: "\0"})
