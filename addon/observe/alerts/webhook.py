"""Tells one receiver of alerts, by POST. Whoever raises an alert waits for nothing.

The receiver's URL is a secret, since most receivers ask for nothing else: it comes from the environment or a file,
never from an option, which mitmweb shows to its users, and it is in no log, metric or error.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ...access.secret_files import SecretFile, SecretFileError
from ...config.option import OptionError
from ...texts import terminal
from ...texts.terminal import say
from ...upstream.client import CallFailed, HttpClient, Transport
from ...wire.host_names import is_loopback
from . import notice
from .notice import Notice

logger = logging.getLogger("hunyuan_fix")

VARIABLE = "HUNYUAN_ALERT_WEBHOOK"
"""The environment variable with the receiver's URL, which counts where no file is named."""

MOST_WAITING = 100
"""Notices that wait for a receiver. The oldest are dropped."""
WAITS = (2.0, 15.0, 60.0)
"""Seconds before each further try."""
TIMEOUT = 10.0
"""Seconds for one try."""

SENT, FAILED, DROPPED = "sent", "failed", "dropped"
"""What came of a notice."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notices go."""

    url: str = field(repr=False)
    host: str


def receiver(text: str) -> Receiver:
    """The receiver with the URL `text`. Raises `ValueError`, which doesn't quote it."""
    accepted = say("needed is one URL, https:// or, on this machine, http://, without user name and password")
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(accepted) from None
    in_clear = parts.scheme == "http" and is_loopback(host)
    if not host or parts.username is not None or not (parts.scheme == "https" or in_clear) or len(text.split()) != 1:
        raise ValueError(accepted)
    return Receiver(parts._replace(fragment="").geturl(), host)


class Address:
    """The receiver: from the option's file, else from `HUNYUAN_ALERT_WEBHOOK`; `None`: nobody is told."""

    def __init__(self, environment: Mapping[str, str] = os.environ, file: SecretFile[Receiver] | None = None) -> None:
        self._environment = environment
        self._file = file

    def configured(self, path: Path | None) -> Address:
        """The address with the file `path`, `None` for none; this object if the file is the same.

        Raises `OptionError`.
        """
        try:
            if path is None:
                _ = self.value if self._file is None else Address(self._environment).value
        except ValueError as error:
            raise OptionError(f"{VARIABLE}: {error}") from None
        if path == (self._file.path if self._file else None):
            return self
        try:
            return Address(self._environment, SecretFile(path, receiver) if path else None)
        except SecretFileError as error:
            raise OptionError(f"hunyuan_alert_webhook_file: {error}") from None

    @property
    def value(self) -> Receiver | None:
        """The receiver. Raises `ValueError` for a variable that holds no URL, before `configured` has refused it."""
        if self._file is not None:
            return self._file.content
        given = self._environment.get(VARIABLE, "").strip()
        return receiver(given) if given else None

    @property
    def file(self) -> SecretFile[Receiver] | None:
        """The file that the receiver is in; `None` if it isn't in one."""
        return self._file

    async def refresh(self) -> None:
        """Read a changed file. An invalid one is logged, and the previous address stays in use."""
        if self._file:
            await self._file.refresh()


class Webhook:
    """Sends notices in their order, all that wait in one request, and tries again where that may help.

    `sleep`: waits before a further try.
    """

    def __init__(self, address: Address, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.address = address
        self.counts: Counter[str] = Counter()
        """Notices, by what came of them."""
        self._sleep = sleep
        self._client = HttpClient()
        self._waiting: deque[Notice] = deque()
        self._task: asyncio.Task[None] | None = None

    def configure(self, address: Address, transport: Transport) -> None:
        """Send to `address` from now on. Calls leave by `transport`, without the certificate that endpoints see."""
        self.address = address
        target = address.value
        proxy = None if target is None or is_loopback(target.host) else transport.proxy
        self._client.configure(replace(transport, proxy=proxy, client_certificate=None))

    def tell(self, notices: Sequence[Notice]) -> None:
        """Let `notices` be sent. Needs a running event loop."""
        if not notices or self.address.value is None:
            return
        self._waiting.extend(notices)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.counts[DROPPED] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="hunyuan-fix tells of alerts")

    async def aclose(self) -> None:
        """Send nothing any more. What waits is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._client.aclose()

    async def _send_all(self) -> None:
        while self._waiting and (target := self.address.value) is not None:
            notices = list(self._waiting)
            self._waiting.clear()
            why = await self._send(target, notices)
            self.counts[FAILED if why else SENT] += len(notices)
            if why:
                logger.warning(
                    "%s", say("The webhook was not told of alerts ({count}): {why}", count=len(notices), why=why)
                )

    async def _send(self, target: Receiver, notices: Sequence[Notice]) -> str:
        """Why they could not be sent, after all tries; empty if they were."""
        instance = socket.gethostname()
        body = notice.body(notices, target.host, instance, terminal.language())
        why = ""
        for wait in (0.0, *WAITS):
            if wait:
                await self._sleep(wait)
            try:
                answer = await self._client.post(target.url, body, {}, TIMEOUT)
            except CallFailed as error:
                why = str(error)
                continue
            why = notice.refusal(answer.status, answer.body)
            if not why or (400 <= answer.status < 500 and answer.status not in (408, 429)):
                break
        return why
