"""What an engineer asks with: views, the client, the examples of the guide, on real episodes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from robot_rl import client
from robot_rl.client import AskRefused, LabClient
from robot_rl.server.settings import ServerSettings
from tests.interchange.conftest import (
    RecordedLab,
    lab,  # noqa: F401 (a fixture)
    postgres,  # noqa: F401 (a fixture)
)
from tests.interchange.test_export import export, plan_of
from tests.server.conftest import RunningServer, serving
from tests.server.test_openapi import COPY

GUIDE = Path(__file__).parents[1] / "docs/engineer_guide.md"
SERVER = "http://127.0.0.1:8420"


@pytest.fixture(scope="module")
def server(lab: RecordedLab) -> Iterator[RunningServer]:  # noqa: F811
    with serving(ServerSettings(data=lab.folder, port=0), lab.database) as running:
        yield running


@pytest.fixture
def asking(server: RunningServer) -> Iterator[LabClient]:
    with LabClient(server.url, server.token("engineer")) as made:
        yield made


def test_the_client_reads_what_is_stored(
    asking: LabClient,
    lab: RecordedLab,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "PAGE", 4)  # so that there are two
    found = list(asking.episodes(task="lift_cube"))
    assert [each.episode_id for each in reversed(found)] == list(lab.ids)
    assert not list(asking.episodes(task="another"))
    for episode_id in lab.ids:
        stored = lab.source.read(episode_id)
        told = asking.steps(episode_id)
        assert list(told.steps) == [record.step for record in stored.records]
        assert asking.episode(episode_id).outcome == stored.outcome
    record = lab.source.read(lab.ids[0]).records[3]
    assert asking.frame(lab.ids[0], "front", 3) == record.images["front"]
    assert [each.version for each in asking.policies("lift_cube")] == [4, 3, 2, 1]


def test_a_label_is_given(asking: LabClient, lab: RecordedLab) -> None:  # noqa: F811
    before = asking.labels(lab.ids[-1])
    given = asking.label(lab.ids[-1], "aborted", note="the cell was open")
    assert asking.labels(lab.ids[-1]) == (*before, given)
    with lab.database.engine.connect() as connection:
        standing = connection.execute(
            text("SELECT outcome FROM v_labels WHERE episode_id = :id AND standing"),
            {"id": lab.ids[-1]},
        ).scalar_one()
    assert standing == "aborted"


def test_what_the_server_refuses_is_said(asking: LabClient, server: RunningServer) -> None:
    with pytest.raises(AskRefused, match="404, there is no episode 00000000-"):
        asking.steps(client.UUID(int=0))
    with (
        LabClient(server.url, "a wrong token") as stranger,
        pytest.raises(AskRefused, match=r"GET /api/policies: 401, \w"),
    ):
        stranger.policies()
    with (
        LabClient("http://127.0.0.1:1", "none") as nobody,
        pytest.raises(AskRefused, match=r"does not answer .* is it running"),
    ):
        nobody.policies()


DOCUMENT: dict[str, Any] = json.loads(COPY.read_text())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (client.ListedEpisode, "EpisodeRow"),
        (client.GivenLabel, "LabelRow"),
        (client.AllSteps, "EpisodeSteps"),
        (client._Page, "EpisodePage"),
        (client._Detail, "EpisodeDetail"),
        (client._Policies, "PolicyPage"),
    ],
)
def test_the_client_expects_what_the_interface_says(model: type[BaseModel], name: str) -> None:
    """Each field, its type, and that it is always there."""
    wanted = model.model_json_schema(mode="serialization")
    told = SCHEMAS[name]
    renamed = {"ListedEpisode": "EpisodeRow", "GivenLabel": "LabelRow"}
    for field, kind in wanted["properties"].items():
        assert _kind(kind, renamed) == _kind(told["properties"][field], {}), field
        assert field in told["required"] or "default" in told["properties"][field]


def _kind(schema: Any, renamed: dict[str, str]) -> Any:
    """Without titles; of a reference its last name."""
    if isinstance(schema, list):
        return [_kind(each, renamed) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return renamed.get(name, name)
    left_out = ("title", "description", "default")
    return {key: _kind(value, renamed) for key, value in schema.items() if key not in left_out}


def test_what_the_client_asks_is_in_the_interface() -> None:
    source = Path(client.__file__).read_text()
    asked = re.findall(r'_ask\(\s*"(\w+)", f?"([^"]+)"', source)
    assert len(asked) == 6
    templates = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }
    assert {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in asked} <= templates
    known = {each["name"] for each in DOCUMENT["paths"]["/api/episodes"]["get"]["parameters"]}
    parameters = set(LabClient.episodes.__annotations__) - {"return"}
    assert parameters | {"limit", "after"} <= known


def test_the_views_say_what_is_stored(lab: RecordedLab) -> None:  # noqa: F811
    with lab.database.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM v_episodes ORDER BY started_t_utc")).all()
        takeovers = connection.execute(text("SELECT * FROM v_interventions")).all()
    assert [row.episode_id for row in rows] == list(lab.ids)
    for row in rows:
        stored = lab.source.read(row.episode_id)
        assert row.steps == len(stored.steps)
        assert row.robot_s == pytest.approx(row.steps * 0.1)
        assert row.success == (stored.outcome == "success")
    assert {each.episode_id for each in takeovers} == {
        row.episode_id for row in rows if row.interventions
    }
    assert all(each.steps == each.last_index - each.first_index + 1 for each in takeovers)


@pytest.mark.parametrize("view", ["v_episodes", "v_interventions", "v_labels"])
def test_a_view_is_not_written_to(view: str, lab: RecordedLab) -> None:  # noqa: F811
    with (
        lab.database.engine.connect() as connection,
        pytest.raises(DBAPIError, match=f'cannot delete from view "{view}"'),
    ):
        connection.execute(text(f"DELETE FROM {view}"))


def test_the_examples_of_the_guide_run(
    lab: RecordedLab,  # noqa: F811
    server: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export(tmp_path / "exported", plan_of(lab.ids, "parquet"), lab.source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBOT_RL_TOKEN", server.token("engineer"))
    section = GUIDE.read_text().split("## Asking the data\n")[1].split("\n## ")[0]
    (query,) = re.findall(r"```sql\n(.*?)```", section, re.S)
    with lab.database.engine.connect() as connection:
        assert len(connection.execute(text(query)).all()) > 0
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", section, re.S)
    assert len(blocks) == 3
    for block in blocks:
        exec(block.replace(SERVER, server.url), names)
    steps = sum(len(lab.source.read(each).records) for each in lab.ids)
    assert names["pushes"].steps.sum() == steps
    assert set(names["steps"]) == set(names["failed"].episode_id)
    assert len(names["forces_n"]) == len(names["first"].steps)
    assert names["newest"] == 4
