"""The admin server as a part of the proxy: its options, its start, its end."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from socket import socket
from typing import TYPE_CHECKING

from ...access.secret_files import SecretFile
from ...config.option import OptionError
from ...exchange import Response
from ...texts.terminal import say
from . import links
from .answering import answered
from .failures import Failures
from .guard import Guard
from .links import Links
from .live import Live
from .request import Request
from .rooms import Rooms
from .route import Listening
from .sessions import Sessions
from .settings import Address, AdminSettings
from .token import AdminToken

if TYPE_CHECKING:
    from .server import Server


class Admin:
    """The admin server of a process; listens from `start` on, where its options say so. `rooms`: what it shows.

    `before`: awaited before each answer, where what it shows has to be fetched. Raises nothing.
    """

    def __init__(
        self,
        rooms: Rooms,
        environment: Mapping[str, str] = os.environ,
        *,
        before: Callable[[Request], Awaitable[None]] | None = None,
    ) -> None:
        self.rooms = rooms
        self._before = before
        self.live = Live(rooms.exchanges)
        self._settings = AdminSettings(admin=None)
        self._token = AdminToken(environment)
        self._guard = Guard(self._token, Sessions(), Failures(), Address("", 0))
        self._links = Links()
        self._server: Server | None = None
        self._started = False
        self._closing: asyncio.Task[None] | None = None
        """Kept, because the event loop holds tasks by weak references only."""

    @property
    def address(self) -> Address | None:
        """Where it listens; `None`: nowhere."""
        return Address(self._guard.bound.host, self._server.port) if self._server else None

    @property
    def token_file(self) -> SecretFile[str] | None:
        """The file with its token; `None`: it has none, or one from the environment."""
        return self._token.file

    @property
    def url(self) -> str:
        """Its address as a URL, for this machine; `""`: it listens nowhere."""
        return _url(self.address) if self.address else ""

    def link(self) -> str:
        """A new link by which a browser signs in; its address where there is no token; `""`: it listens nowhere."""
        token = self._token.value
        return f"{self.url}{links.path(token, time.time())}" if self.url and token else self.url

    @property
    def is_shut(self) -> bool:
        """Whether it listens and hears nobody but probes: there is no token, and no address is trusted."""
        return self._server is not None and not self._token.value and not self._settings.trust_loopback

    def configure(self, settings: AdminSettings) -> None:
        """Use `settings` from now on; once it has started, listen anew where the address is another.

        Raises `OptionError`, and changes nothing then.
        """
        token = self._token.configured(settings)
        if settings.admin is not None and not settings.admin.is_local and not token.value:
            raise OptionError(
                say(
                    "hunyuan_admin={address} is open to other machines: it needs a token, in hunyuan_admin_token_file "
                    "or HUNYUAN_ADMIN_TOKEN",
                    address=settings.admin,
                )
            )
        if self._started and settings.admin != self._settings.admin:
            self._move(settings.admin)
        self._settings, self._token = settings, token
        self._guard.token, self._guard.hosts, self._guard.trust = token, settings.admin_hosts, settings

    def start(self) -> None:
        """Listen. Needs a running event loop. Raises `OptionError` where the address can't be opened."""
        if self._started:
            return
        self._started = True
        if (address := self._settings.admin) is not None:
            self._serve(address, _bound(address))

    def drain(self) -> None:
        """The process ends: say so to probes, and to those that listen."""
        self.rooms.draining = True
        self.live.close()

    async def refresh(self) -> None:
        """Read a changed token."""
        await self._token.refresh()

    async def aclose(self) -> None:
        """Close all connections."""
        self.live.close()
        if (server := self._server) is not None:
            self._stop()
            await server.close_connections()

    def _move(self, address: Address | None) -> None:
        """Listen at `address` in place of where it listens now. Raises `OptionError`, and stays where it is then."""
        old, bound = self._server, self._guard.bound
        sockets = []
        if address is not None:
            try:
                sockets = _bound(address)
            except OptionError:
                if old is None or address.port != old.port:
                    raise
                # All addresses of this machine in place of one, on the same port: they exclude each other.
                old.stop()
                try:
                    sockets = _bound(address)
                except OptionError:
                    self._serve(bound, _bound(bound))
                    self._closing = asyncio.create_task(old.close_connections(), name="hunyuan-fix admin closes")
                    raise
        if old is not None:
            self._stop()
            self._closing = asyncio.create_task(old.close_connections(), name="hunyuan-fix admin closes")
        if address is not None:
            self._serve(address, sockets)

    def _serve(self, address: Address, sockets: list[socket]) -> None:
        from .server import Server  # noqa: PLC0415 - tornado is loaded where there is an admin server

        self._guard.bound = address
        self._server = Server(sockets, self._answer, self.live, self._guard.is_still_admin, before=self._before)

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    async def _answer(self, request: Request) -> Response | Listening:
        return await answered(request, self.rooms, self._guard, self._links)


def _bound(address: Address) -> list[socket]:
    """Sockets that listen there. Raises `OptionError`."""
    from tornado import netutil  # noqa: PLC0415 - as above

    last = min(address.port + _MOST_TRIED, _LAST_PORT) if address.or_next else address.port
    for port in range(address.port, last + 1):
        try:
            return netutil.bind_sockets(port, address.host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port == last:
                why = error.strerror or type(error).__name__
                problem = say("hunyuan_admin={address} can't be opened: {why}", address=address, why=why)
                raise OptionError(problem) from None
    raise AssertionError("one port at least is tried")


_MOST_TRIED = 100
_LAST_PORT = 65535


def _url(address: Address) -> str:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - not bound here
    return f"http://{Address(reached, address.port)}"
