"""Who may do what: every route of the server, and every message of a live socket."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from robot_rl.errors import AccessRefused, PlainError


class Role(StrEnum):
    """People, from least to most; then machines."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"
    ROBOT = "robot"
    LEARNER = "learner"


ADMINS = frozenset({Role.ADMIN})
ENGINEERS = ADMINS | {Role.ENGINEER}
DRIVERS = ENGINEERS | {Role.OPERATOR}
PEOPLE = DRIVERS | {Role.VIEWER}
ROBOTS = frozenset({Role.ROBOT})
LEARNERS = frozenset({Role.LEARNER})
TRAINERS = LEARNERS | ADMINS
EVERYONE = frozenset(Role)

# By what a request says: PEOPLE watch; DRIVERS also drive and say what they saw; ENGINEERS also
# decide about data and policies; ADMINS also about people and tokens.
RIGHTS: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        # the caller, and those whom an admin lets in
        "GET /api/me": EVERYONE,
        "POST /api/logout": EVERYONE,
        "POST /api/login-links": PEOPLE,
        "PUT /api/me/password": PEOPLE,
        "GET /api/sessions": PEOPLE,
        "DELETE /api/sessions/{session_id}": PEOPLE,
        "GET /api/users": ADMINS,
        "POST /api/users": ADMINS,
        "PATCH /api/users/{name}": ADMINS,
        "DELETE /api/users/{name}": ADMINS,
        "POST /api/users/{name}/login-links": ADMINS,
        "POST /api/users/{name}/password-resets": ADMINS,
        "GET /api/tokens": ADMINS,
        "POST /api/tokens": ADMINS,
        "DELETE /api/tokens/{token_id}": ADMINS,
        "GET /api/audit": ENGINEERS,
        "GET /api/audit/export": ENGINEERS,
        # what was recorded
        "POST /api/ingest": ROBOTS,
        "GET /api/ingest/cursor": ROBOTS,
        "POST /api/ingest/cursors": ROBOTS,
        "POST /api/ingest/lost": ROBOTS,
        "GET /api/feed": EVERYONE,
        "GET /api/segments/{segment_id}": EVERYONE,
        "GET /api/episodes": EVERYONE,
        "GET /api/episodes/{episode_id}": EVERYONE,
        "GET /api/episodes/{episode_id}/steps": EVERYONE,
        "GET /api/episodes/{episode_id}/frames/{camera}/{index}.jpg": EVERYONE,
        "POST /api/episodes/{episode_id}/annotations": DRIVERS,
        "POST /api/episodes/{episode_id}/interventions/{intervention_id}/decisions": DRIVERS,
        "POST /api/episodes/{episode_id}/labels": ENGINEERS,
        "POST /api/episodes/{episode_id}/exclusions": ENGINEERS,
        "GET /api/metrics": EVERYONE,
        "GET /api/training": EVERYONE,
        # policies and their training
        "POST /api/learner/progress": TRAINERS,
        "GET /api/learner/status": EVERYONE,
        "POST /api/policies": TRAINERS,
        "POST /api/policies/parts/lacking": TRAINERS,
        "PUT /api/policies/parts/{sha256}": TRAINERS,
        "GET /api/policies/parts/{sha256}": EVERYONE,
        "GET /api/policies": EVERYONE,
        "GET /api/policies/{task}/wanted": EVERYONE,
        "POST /api/policies/{task}/{version}/pin": ENGINEERS,
        "DELETE /api/policies/{task}/pin": ENGINEERS,
        "POST /api/policies/{task}/{version}/reject": ENGINEERS,
        # the robots themselves
        "GET /api/robots": EVERYONE,
        "WS /api/live/robot": ROBOTS,
        "WS /api/live/robot/video": ROBOTS,
        "WS /api/live/robots/{robot}": PEOPLE,
        "WS /api/live/robots/{robot}/video": PEOPLE,
    }
)
OPEN = frozenset(
    {
        "GET /login",
        "POST /api/sign-in",
        "GET /api/health",
        "GET /api/health/ready",
        "GET /api/openapi.json",
        "GET /{path:path}",  # the console's own files
    }
)

MAY_SEE_TRUTH = DRIVERS
"""The simulator's truth is for rehearsal and tests; policies and learners never see it."""
MAY_DRIVE = DRIVERS
"""All messages of a live socket but STOP, which is everybody's who watches."""
MAY_PREEMPT = ENGINEERS
"""Takes control from somebody without asking."""


def is_open(method: str, path: str) -> bool:
    """Whether it needs no caller."""
    return f"{method} {path}" in OPEN


class RightsMissing(PlainError):
    """A route that the table does not know: a defect of ours."""


def check(role: Role, method: str, path: str) -> None:
    """Raises AccessRefused. `path` is the route's own, with its parameters' names in it."""
    if role not in rights(method, path):
        raise AccessRefused(f"a {role} may not {method} {path}")


def rights(method: str, path: str) -> frozenset[Role]:
    """Raises RightsMissing."""
    if (found := RIGHTS.get(f"{method} {path}")) is None:
        raise RightsMissing(f"no role has been given a right to {method} {path}")
    return found


def role_of(name: str) -> Role:
    """Raises PlainError for an unknown role."""
    if name not in set(Role):
        raise PlainError(f"there is no role {name!r}: choose one of {', '.join(Role)}")
    return Role(name)
