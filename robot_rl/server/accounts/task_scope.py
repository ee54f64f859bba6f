"""Whose data a token of one task may reach: how each request says of which task it is."""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from robot_rl.server.accounts.roles import RightsMissing


class TaskFrom(Enum):
    """What of a request names its task."""

    QUERY = auto()
    PATH = auto()
    EPISODE = auto()  # whose id is in the path
    SEGMENT = auto()
    PART = auto()  # a file of policies; it may belong to several tasks
    HANDLER = auto()  # the body, the first frame or the answer: the handler checks it
    NONE = auto()  # it reaches no data of a task


# Everything that a robot or a learner has a right to: a person's token is of all tasks.
TASKS: Mapping[str, TaskFrom] = MappingProxyType(
    {
        "GET /api/me": TaskFrom.NONE,
        "POST /api/logout": TaskFrom.NONE,
        "POST /api/ingest": TaskFrom.HANDLER,
        "GET /api/ingest/cursor": TaskFrom.NONE,
        "POST /api/ingest/cursors": TaskFrom.NONE,
        "POST /api/ingest/lost": TaskFrom.NONE,
        "GET /api/feed": TaskFrom.QUERY,
        "GET /api/segments/{segment_id}": TaskFrom.SEGMENT,
        "GET /api/episodes": TaskFrom.QUERY,
        "GET /api/episodes/{episode_id}": TaskFrom.EPISODE,
        "GET /api/episodes/{episode_id}/steps": TaskFrom.EPISODE,
        "GET /api/episodes/{episode_id}/frames/{camera}/{index}.jpg": TaskFrom.EPISODE,
        "GET /api/metrics": TaskFrom.QUERY,
        "GET /api/training": TaskFrom.QUERY,
        "POST /api/learner/progress": TaskFrom.HANDLER,
        "GET /api/learner/status": TaskFrom.QUERY,
        "POST /api/policies": TaskFrom.HANDLER,
        # Files are sent before the policy that they belong to, and named by their content.
        "POST /api/policies/parts/lacking": TaskFrom.NONE,
        "PUT /api/policies/parts/{sha256}": TaskFrom.NONE,
        "GET /api/policies/parts/{sha256}": TaskFrom.PART,
        "GET /api/policies": TaskFrom.QUERY,
        "GET /api/policies/{task}/wanted": TaskFrom.PATH,
        "GET /api/robots": TaskFrom.HANDLER,
        "WS /api/live/robot": TaskFrom.HANDLER,
        "WS /api/live/robot/video": TaskFrom.HANDLER,
    }
)


def task_from(method: str, path: str) -> TaskFrom:
    """`path` is the route's own. Raises RightsMissing."""
    if (found := TASKS.get(f"{method} {path}")) is None:
        raise RightsMissing(f"nothing says of which task {method} {path} is")
    return found
