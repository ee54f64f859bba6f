"""Names, headers and TLS: what holds on every path, and where the server may be reached from."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from robot_rl.server import process
from robot_rl.server.accounts import users
from robot_rl.server.accounts.roles import Role
from robot_rl.server.database import Database
from robot_rl.server.perimeter import HEADERS
from robot_rl.server.settings import ServerProblem, ServerSettings
from tests.server.conftest import SERVER_NAME, Certificate, RunningServer, serving

PASSWORD = "correct horse battery"


@pytest.fixture
def secure(database: Database, tmp_path: Path, certificate: Certificate) -> Iterator[RunningServer]:
    """With TLS of its own, and an admin who has a password."""
    users.add(database, "ada", Role.ADMIN, PASSWORD, by="test")
    settings = ServerSettings(
        data=tmp_path / "data", port=0, tls_certificate=certificate.file, tls_key=certificate.key
    )
    with serving(settings, database) as running:
        yield running


# ---- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::", "a b"])
@pytest.mark.parametrize(
    "path", ["/", "/login?token={token}", "/api/health", "/assets/x", "/api/x"]
)
def test_a_foreign_name_is_refused_on_every_path(
    shared_server: RunningServer, path: str, host: str
) -> None:
    token = shared_server.login_link().partition("token=")[2]
    address = shared_server.url + path.format(token=token)
    answer = httpx.get(address, headers={"Host": host})
    assert answer.status_code in {400, 403}  # 400: what is no name at all
    assert "set-cookie" not in answer.headers
    if path.startswith("/login"):
        assert httpx.get(address).status_code == 303  # the link was not used up


def test_a_foreign_name_opens_no_socket(shared_server: RunningServer) -> None:
    port = shared_server.settings.port
    with (
        socket.create_connection(("127.0.0.1", port)) as found,
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://evil.example:{port}/api/live/robots/r1",
            sock=found,
            additional_headers=shared_server.bearer("viewer"),
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


# ---- headers ---------------------------------------------------------------------------------

ANSWERS = [
    ("GET", "/", 200),
    ("GET", "/api/health", 200),
    ("GET", "/api/me", 401),
    ("GET", "/api/nothing", 404),
    ("POST", "/api/health", 405),
    ("GET", "/login", 422),
    ("GET", "/login?token=x", 403),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_says_how_a_browser_may_use_it(
    shared_server: RunningServer, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, shared_server.url + path)
    assert answer.status_code == status
    assert {name.lower() for name in HEADERS} <= set(answer.headers)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers
    if path == "/":
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    else:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


# ---- TLS -------------------------------------------------------------------------------------


def test_over_tls_cookies_are_secure_and_browsers_stay_with_it(
    secure: RunningServer, certificate: Certificate
) -> None:
    assert secure.url.startswith("https://127.0.0.1:")
    with httpx.Client(
        base_url=secure.url, verify=certificate.context, headers={"Origin": secure.url}, timeout=30
    ) as browser:
        answer = browser.post("/api/sign-in", json={"name": "ada", "password": PASSWORD})
        assert answer.status_code == 200
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert browser.get("/api/me").json()["name"] == "ada"
        name = secure.settings.cookie
        headers = {"Origin": secure.url, "Cookie": f"{name}={browser.cookies[name]}"}
    with connect(
        f"{secure.live}/robots/r1", ssl=certificate.context, additional_headers=headers
    ) as live:
        assert "client_welcome" in str(live.recv(timeout=10))


def test_a_proxy_beside_it_may_use_its_own_name(database: Database, tmp_path: Path) -> None:
    users.add(database, "ada", Role.ADMIN, PASSWORD, by="test")
    settings = ServerSettings(data=tmp_path, port=0, public_url=f"https://{SERVER_NAME}")
    with serving(settings, database) as server:
        address = f"http://127.0.0.1:{server.settings.port}"
        asked = {"name": "ada", "password": PASSWORD}
        through = {
            "Host": SERVER_NAME,
            "Origin": f"https://{SERVER_NAME}",
            "X-Forwarded-For": "10.1.2.3",
        }
        answer = httpx.post(address + "/api/sign-in", json=asked, headers=through, timeout=30)
        assert answer.status_code == 200
        assert "Secure" in answer.headers["set-cookie"]
        seen = httpx.get(
            address + "/api/sessions",
            headers={**through, "Cookie": answer.headers["set-cookie"].partition(";")[0]},
        ).json()["sessions"]
        assert [each["address"] for each in seen] == ["10.1.2.3"]
        foreign = httpx.get(address + "/api/health", headers={"Host": "evil.example"})
        assert foreign.status_code == 403


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"host": "0.0.0.0"}, "with TLS only: give --tls-certificate"),
        ({"host": "192.168.1.5"}, "with TLS only: give --tls-certificate"),
        ({"host": "lab.example"}, "with TLS only: give --tls-certificate"),
        ({"host": "::", "public_url": "https://lab.example"}, "with TLS only"),
        ({"public_url": "http://lab.example"}, "not of the form https://NAME"),
        ({"public_url": "https://lab.example/robots"}, "not of the form https://NAME"),
        ({"tls_key": Path(__file__)}, "TLS needs both files"),
        ({"tls_key": Path("no.pem"), "tls_certificate": Path(__file__)}, r"no file no\.pem"),
        ({"tls_key": Path(__file__), "tls_certificate": Path(__file__)}, "no certificate and its"),
    ],
)
def test_beyond_loopback_there_is_tls(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ServerProblem, match=sentence) as refused:
        ServerSettings(**settings)
    assert "\n" not in str(refused.value)


def test_any_address_needs_a_name(certificate: Certificate) -> None:
    with pytest.raises(ServerProblem, match="give --public-url"):
        ServerSettings(host="0.0.0.0", tls_certificate=certificate.file, tls_key=certificate.key)
    named = ServerSettings(
        host="0.0.0.0",
        public_url=f"https://{SERVER_NAME}",
        tls_certificate=certificate.file,
        tls_key=certificate.key,
    )
    assert named.origin == f"https://{SERVER_NAME}"
    assert not named.behind_proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.4.5", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert not ServerSettings(host=host).secure


def test_beyond_loopback_there_is_an_admin_with_a_password(
    database: Database, tmp_path: Path
) -> None:
    settings = ServerSettings(
        data=tmp_path, port=0, public_url=f"https://{SERVER_NAME}", database_url=database.dsn
    )
    with pytest.raises(ServerProblem, match="`robot-rl users set-password operator`"):
        process.run(settings)
