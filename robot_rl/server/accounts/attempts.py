"""How often somebody may try to sign in: guessing a password must take for ever."""

from collections import OrderedDict
from dataclasses import dataclass, field

from robot_rl.errors import TooOften

KEPT_KEYS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimit:
    """So many attempts that failed, of whoever shares these parts of an attempt."""

    failures: int
    within_s: float
    by_name: bool
    by_address: bool


LIMITS = (
    AttemptLimit(failures=5, within_s=300.0, by_name=True, by_address=True),
    AttemptLimit(failures=30, within_s=300.0, by_name=False, by_address=True),
    AttemptLimit(failures=100, within_s=3600.0, by_name=True, by_address=False),
)


@dataclass(slots=True)
class SignInAttempts:
    """Counts failures by name and address. Kept in memory: a restart forgets them."""

    _failed: OrderedDict[tuple[AttemptLimit, str, str], list[float]] = field(
        default_factory=OrderedDict
    )

    def begin(self, name: str, address: str, now_s: float) -> None:
        """Counts the attempt as failed until it has succeeded, so that many at once are no way
        around. Raises TooOften.
        """
        for limit in LIMITS:
            times = self._times(limit, name, address, now_s)
            if len(times) >= limit.failures:
                wait_s = round(times[-limit.failures] + limit.within_s - now_s) + 1
                raise TooOften(
                    f"too many attempts to sign in failed: try again in {wait_s} s, or ask an "
                    "admin for a sign-in link"
                )
        # Only what is admitted, and so costs a hash, takes room: refusals push out no count.
        for limit in LIMITS:
            self._keep(limit, name, address, [*self._times(limit, name, address, now_s), now_s])

    def succeeded(self, name: str, address: str, now_s: float) -> None:
        """Its count may be gone: it is too old, or others have pushed it out."""
        for limit in LIMITS:
            self._keep(limit, name, address, self._times(limit, name, address, now_s)[:-1])

    def _times(self, limit: AttemptLimit, name: str, address: str, now_s: float) -> list[float]:
        """The failures that still count, of this attempt's kind."""
        times = self._failed.get(_key(limit, name, address), [])
        return [t_s for t_s in times if t_s > now_s - limit.within_s]

    def _keep(self, limit: AttemptLimit, name: str, address: str, times: list[float]) -> None:
        key = _key(limit, name, address)
        self._failed.pop(key, None)
        if times:
            self._failed[key] = times
        if len(self._failed) > KEPT_KEYS:
            self._failed.popitem(last=False)


def _key(limit: AttemptLimit, name: str, address: str) -> tuple[AttemptLimit, str, str]:
    return limit, name if limit.by_name else "", address if limit.by_address else ""
