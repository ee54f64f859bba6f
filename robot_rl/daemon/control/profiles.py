"""Which limit profiles are active: by the task, by words of its instruction, or by a button.

A button switches one on at any time and needs no lease: it can only tighten. Switching off needs
the lease, and only what a button switched on can be switched off by one. No input or output.
"""

from collections.abc import Mapping, Sequence

from robot_rl.config.limit_profile import ChosenBy
from robot_rl.daemon.control.lease import LeaseArbiter
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.limits import SelectableProfile
from robot_rl.daemon.messages import LimitProfileChanged
from robot_rl.schema.live.client_message import SetLimitProfile
from robot_rl.schema.live.robot_command import FromClient


class ActiveProfiles:
    """State: who switched on which, by a button; `pressed` as it was before a restart."""

    def __init__(
        self,
        profiles: Sequence[SelectableProfile],
        pressed: Mapping[str, str],
        lease: LeaseArbiter,
        out: Outbound,
    ) -> None:
        self._profiles = {profile.name: profile for profile in profiles}
        self._pressed = {name: by for name, by in pressed.items() if name in self._profiles}
        self._lease, self._out = lease, out
        self.active: tuple[str, ...] = ()
        """Their names in the order of the cell; another object when they change."""
        self._update()

    @property
    def pressed(self) -> Mapping[str, str]:
        """By a button: the profile's name → who."""
        return self._pressed

    def request(self, sender: FromClient, wanted: SetLimitProfile, now_ns: int) -> str | None:
        """Switch one on or off; a refusal comes back as a sentence."""
        profile = self._profiles.get(wanted.profile)
        if profile is None:
            known = ", ".join(self._profiles) or "none"
            return f"There is no limit profile {wanted.profile!r}; this robot has: {known}."
        refused = self._on(profile) if wanted.on else self._off(profile, sender)
        if refused is not None:
            return refused
        if wanted.on:
            self._pressed[profile.name] = sender.user
        else:
            del self._pressed[profile.name]
        self._update()
        self._out.pressed.append(dict(self._pressed))
        what = f"on: {profile.effect}" if wanted.on else "off"
        text = f"{sender.user} switched the limit profile '{profile.text}' {what}."
        self._out.events.append(LimitProfileChanged(by=sender.user, text=text, t_ns=now_ns))
        return None

    def _on(self, profile: SelectableProfile) -> str | None:
        if profile.name in self.active:
            return f"The limit profile '{profile.text}' is on already."
        return None

    def _off(self, profile: SelectableProfile, sender: FromClient) -> str | None:
        match profile.chosen_by:
            case ChosenBy.TASK:
                return f"The task chose the limit profile '{profile.text}': it stays on."
            case ChosenBy.INSTRUCTION:
                return (
                    f"Words of the instruction chose the limit profile '{profile.text}': "
                    "it stays on."
                )
            case _ if profile.name not in self._pressed:
                return f"The limit profile '{profile.text}' is off already."
            case _ if self._lease.client is None:
                return "Switching a limit profile off needs the lease; take it first."
            case _ if self._lease.client != sender.client_id:
                holder = self._lease.user
                return f"{holder} holds the lease; only {holder} may switch a limit profile off."
            case _:
                return None

    def _update(self) -> None:
        self.active = tuple(
            name
            for name, profile in self._profiles.items()
            if profile.chosen_by is not None or name in self._pressed
        )
