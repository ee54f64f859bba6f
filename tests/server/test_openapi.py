"""The interface that the console's TypeScript is generated from."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from robot_rl.schema.live.client_message import ClientMessage
from robot_rl.schema.live.client_update import ClientUpdate
from robot_rl.server import openapi_file

COPY = Path(__file__).parents[2] / "operator_ui" / "src" / "api" / "openapi.json"


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    openapi_file.write(tmp_path / "openapi.json")
    return json.loads((tmp_path / "openapi.json").read_text())


@pytest.mark.parametrize("name", ["ClientMessage", "ClientUpdate"])
def test_the_live_unions_are_in_it(document: dict[str, Any], name: str) -> None:
    union = {"ClientMessage": ClientMessage, "ClientUpdate": ClientUpdate}[name]
    members = get_args(get_args(union.__value__)[0])
    schema = document["components"]["schemas"][name]
    assert {ref["$ref"].rsplit("/", 1)[1] for ref in schema["oneOf"]} == {
        member.__name__ for member in members
    }
    assert schema["discriminator"]["propertyName"] == "kind"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names - schemas.keys() == set()


def test_the_consoles_copy_is_fresh(document: dict[str, Any]) -> None:
    if not COPY.exists():
        pytest.skip("the console is not there")
    assert json.loads(COPY.read_text()) == document, (
        "run `python -m robot_rl.server.openapi_file operator_ui/src/api/openapi.json`, "
        "then generate the console's types"
    )
