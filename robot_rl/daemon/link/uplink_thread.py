"""The uplink's thread in the link: its own event loop, client and file."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import httpx

from robot_rl.daemon.link.uplink import Uplink, UplinkState
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.daemon.outbox.sent import SentBatches
from robot_rl.daemon.settings import DaemonSettings


class UplinkThread:
    """Sends what is recorded, beside the event loop in which it is made and awaited."""

    def __init__(self, settings: DaemonSettings, log: Callable[[str], None]) -> None:
        self._settings, self._log = settings, log
        self._uplink: Uplink | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._run, name="uplink", daemon=True).start()

    @property
    def state(self) -> UplinkState | None:
        """How it stands; None before it has begun."""
        return None if self._uplink is None else self._uplink.state

    def look_again(self) -> None:
        """The live socket is there again: the server may have been restored meanwhile."""
        if self._uplink is not None:
            self._uplink.look_again()

    def hurry(self, hurried: bool) -> None:
        """Lock-step: virtual time stands until all that is recorded is stored, or goes on again."""
        if self._uplink is not None:
            self._uplink.hurry(hurried)

    async def ended(self) -> None:
        """Wait for the thread's end. Raises what ended it: the link must not go on without it."""
        await asyncio.shield(self._ended)

    async def drain(self, timeout_s: float) -> None:
        """Send what can still be sent, within `timeout_s`."""
        if self._uplink is not None:
            self._uplink.drain()
            await asyncio.wait((self._ended,), timeout=timeout_s)

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            asyncio.run(self._send())
        except BaseException as error:  # noqa: BLE001 (raised again by `ended`, where it is heard)
            failure = error
        with suppress(RuntimeError):  # the link has ended, and waits for nobody any more
            self._loop.call_soon_threadsafe(self._tell, failure)

    def _tell(self, failure: BaseException | None) -> None:
        if failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(failure)

    async def _send(self) -> None:
        settings, lockstep = self._settings, self._settings.lockstep
        async with httpx.AsyncClient(
            base_url=settings.server_url or "",
            headers={"Authorization": f"Bearer {settings.token}"},
            trust_env=False,
        ) as client:
            self._uplink = Uplink(
                OutboxReader(settings.outbox_file),
                client,
                SentBatches(
                    settings.sent_file,
                    keep_s=settings.cell.outbox.keep_sent_h * 3600,
                    keep_bytes=round(settings.cell.outbox.keep_sent_gib * 2**30),
                    log=self._log,
                ),
                robot=settings.cell.robot,
                log=self._log,
                # In lock-step, who waits for what is recorded says so; elsewhere nobody waits.
                poll_s=0.02 if lockstep else 0.05,
                longest_backoff_s=1.0 if lockstep else 10.0,
            )
            await self._uplink.run()
