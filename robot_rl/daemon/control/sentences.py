"""Wording of control's answers."""

from collections.abc import Mapping

CLEAR_OVERTAKEN = "The robot was stopped after you asked to clear it; look again, then clear it."


def not_for_control(kind: str) -> str:
    """A request that another process answers reached control."""
    return f"The request {kind} is not one that control can carry out."


def by_name(sentence: str, names: Mapping[str, str]) -> str:
    """The lease machine knows clients by id; people know one another by name."""
    for identity, name in names.items():
        sentence = sentence.replace(identity, name)
    return sentence
