"""Which extra of robot-rl brings a library that is not installed."""

from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROLES = ("robot", "learner", "server", "sim")
BESIDE = ("export",)
"""Extras that no role needs."""
_PROJECT = "robot-rl"
_BROUGHT_BY = {"cv2": "lerobot", "rerun": "rerun-sdk"}  # libraries that come with another one


def extras_that_bring(module: str) -> tuple[str, ...]:
    """The roles that need this top-level module, else what is installed beside them; none when it
    is none of this project's.
    """
    wanted = canonicalize_name(_BROUGHT_BY.get(module, module))
    return tuple(extra for extra in (*ROLES, *BESIDE) if wanted in closure(extra))


def closure(extra: str) -> set[str]:
    """Names of what an extra asks for by itself, its own extras resolved; the base left out."""
    try:
        declared = [Requirement(line) for line in requires(_PROJECT) or ()]
    except PackageNotFoundError:
        return set()  # run from a source tree that was never installed
    found: set[str] = set()
    open_extras, seen = [extra], {extra}
    while open_extras:
        environment = {"extra": open_extras.pop()}
        for requirement in declared:
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate(environment):
                continue
            if canonicalize_name(requirement.name) == _PROJECT:
                open_extras += requirement.extras - seen
                seen |= requirement.extras
            else:
                found.add(canonicalize_name(requirement.name))
    return found
