"""Every question that the console asks the server (operator_ui/src), with answers that vary.

One table; tests/server/test_query_benchmark.py holds it against the console's source.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from benchmarks.stored_episodes import (
    APART,
    BEGIN,
    CAMERAS,
    OPERATORS,
    ROBOTS,
    TASKS,
    VERSIONS,
    WORDS,
)
from robot_rl.config import load_task
from robot_rl.schema.episode import Outcome, Purpose

PAGE_ROWS, RECENT_EPISODES = 100, 20  # operator_ui/src/api/queries.ts
_SHORT = 3  # letters of the beginning of a word

type Params = dict[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What can be asked for, and who may be asked before."""

    rng: random.Random
    client: httpx.Client
    episodes: int
    ids: list[str]  # some episodes
    pictured: list[str]  # those with bytes

    def word(self) -> str:
        return self.rng.choice(WORDS)

    def versions(self) -> int:
        return self.rng.randrange(1, VERSIONS)

    def after(self, sort: str) -> Params:
        """Where a page deep in the table ended, as the page itself says."""
        params: Params = {"sort": sort, "limit": PAGE_ROWS}
        offset = self.rng.randrange(max(1, self.episodes - 2 * PAGE_ROWS))
        page = self.client.get("/api/episodes", params={**params, "offset": offset})
        return params | {"after": page.raise_for_status().json()["next"]}


def _nothing(_: Lab) -> Params:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`path`: as the API names it. `of`: which episodes it is asked of, where it names one."""

    name: str
    path: str
    params: Callable[[Lab], Params] = _nothing
    of: str = ""
    role: str = "engineer"

    def draw(self, lab: Lab) -> tuple[str, Params]:
        """An address and its parameters."""
        ids = lab.pictured if self.of == "pictured" else lab.ids
        path = self.path.replace("{episode_id}", lab.rng.choice(ids))
        path = path.replace("{camera}", lab.rng.choice(CAMERAS))
        path = path.replace("{index}", str(lab.rng.randrange(30)))
        return path, self.params(lab)


def _table(name: str, params: Callable[[Lab], Params]) -> Query:
    """A page of the table of episodes, the newest first, as the console asks for it."""

    def all_params(lab: Lab) -> Params:
        asked: Params = {"sort": "started", "descending": True, "limit": PAGE_ROWS, "offset": 0}
        return asked | params(lab)

    return Query(name=f"episodes, {name}", path="/api/episodes", params=all_params)


def _always(**params: str | int | bool) -> Callable[[Lab], Params]:
    return lambda _: dict(params)


def _one_of(name: str, values: tuple[str, ...]) -> Callable[[Lab], Params]:
    return lambda lab: {name: lab.rng.choice(values)}


def _text(words: Callable[[Lab], str]) -> Callable[[Lab], Params]:
    return lambda lab: {"text": words(lab)}


def _failure(lab: Lab) -> Params:
    task = lab.rng.choice(TASKS)
    return {"task": task, "failure_class": lab.rng.choice(load_task(task).failure_classes)}


def _period(lab: Lab) -> Params:
    since = BEGIN + APART * lab.rng.randrange(lab.episodes)
    return {"since": since.isoformat(), "until": (since + timedelta(days=7)).isoformat()}


def _deep(sort: str) -> Callable[[Lab], Params]:
    def params(lab: Lab) -> Params:
        page = lab.rng.randrange(max(1, lab.episodes // PAGE_ROWS))
        return {"sort": sort, "offset": page * PAGE_ROWS}

    return params


SORTS = ("started", "steps", "human_steps", "interventions", "policy_version")  # review/search.ts

TABLE: tuple[Query, ...] = (
    _table("newest", _nothing),
    *(_table(f"by {sort}, falling", _always(sort=sort)) for sort in SORTS[1:]),
    *(_table(f"by {sort}, rising", _always(sort=sort, descending=False)) for sort in SORTS),
    *(_table(f"page anywhere, by {sort}", _deep(sort)) for sort in SORTS),
    *(_table(f"after a page, by {sort}", lambda lab, sort=sort: lab.after(sort)) for sort in SORTS),
    _table("of a task", _one_of("task", TASKS)),
    _table("of a robot", _one_of("robot", tuple(ROBOTS))),
    _table("with an outcome", _one_of("outcome", tuple(Outcome))),
    _table("without an outcome", _always(unlabelled=True)),
    _table("with a failure class", _failure),
    _table("for a purpose", _one_of("purpose", tuple(Purpose))),
    _table("of a policy version", lambda lab: {"policy_version": lab.versions()}),
    _table("of an operator", _one_of("operator", OPERATORS)),
    _table("with interventions", _always(interventions=True)),
    _table("without interventions", _always(interventions=False)),
    _table("excluded", _always(excluded=True)),
    _table("not excluded", _always(excluded=False)),
    _table("of a week", _period),
    _table("text, one word", _text(Lab.word)),
    _table("text, beginning of a word", _text(lambda lab: lab.word()[:_SHORT])),
    _table("text, two words", _text(lambda lab: f"{lab.word()} {lab.word()}")),
    _table("text, in the instruction", _text(lambda lab: lab.rng.choice(("cube", "pe", "ins")))),
    _table("text, a word that no episode has", _text(lambda _: "zzz")),
    _table(
        "task, failures with help, and text",
        lambda lab: {
            "task": lab.rng.choice(TASKS), "outcome": "failure", "interventions": True,
            "text": lab.word(),
        },
    ),
)  # fmt: skip

FIGURES: tuple[Query, ...] = (
    Query(name="metrics, all", path="/api/metrics"),
    Query(
        name="metrics, older versions",
        path="/api/metrics",
        params=lambda lab: {"below": lab.versions() + 1},
    ),
    Query(
        name="metrics, newest of a task",
        path="/api/metrics",
        params=lambda lab: {
            "task": lab.rng.choice(TASKS),
            "purpose": lab.rng.choice(list(Purpose)),
            "newest": RECENT_EPISODES,
        },
    ),
    Query(name="policies", path="/api/policies"),
    Query(name="policies of a task", path="/api/policies", params=_one_of("task", TASKS)),
)

EPISODE: tuple[Query, ...] = (
    Query(name="episode", path="/api/episodes/{episode_id}"),
    Query(name="steps of an episode", path="/api/episodes/{episode_id}/steps", of="pictured"),
    Query(
        name="frame of an episode",
        path="/api/episodes/{episode_id}/frames/{camera}/{index}.jpg",
        of="pictured",
    ),
)

PEOPLE: tuple[Query, ...] = (
    Query(name="who am I", path="/api/me"),
    Query(name="health", path="/api/health"),
    Query(name="robots", path="/api/robots"),
    Query(name="own sessions", path="/api/sessions"),
    Query(name="users", path="/api/users", role="admin"),
    Query(name="tokens", path="/api/tokens", role="admin"),
)

BESIDE: tuple[Query, ...] = (  # not of the console, but of engineers who ask by hand
    Query(name="audit", path="/api/audit", role="admin"),
    Query(name="training history of a task", path="/api/training", params=_one_of("task", TASKS)),
)

QUERIES = (*TABLE, *FIGURES, *EPISODE, *PEOPLE, *BESIDE)


def filters() -> Mapping[str, set[str]]:
    """By path: names of the parameters that some query has."""
    found: dict[str, set[str]] = {}
    lab = Lab(rng=random.Random(0), client=httpx.Client(), episodes=1000, ids=["x"], pictured=["x"])
    for query in QUERIES:
        if not query.name.startswith("episodes, after"):  # asks a server
            found.setdefault(query.path, set()).update(query.draw(lab)[1])
    return found
