"""The one way in which the parts of control reach the mode machine."""

from collections.abc import Callable

from safety import modes

type Apply = Callable[[modes.Event, int, str], str | None]
"""Step the mode machine by an event at a time (ns) in somebody's name; a refusal comes back."""
