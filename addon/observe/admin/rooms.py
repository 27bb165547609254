"""What the admin server shows of the rest of the proxy: functions that `Runtime` gives it. Each is called when looked
at, on the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...exchange import JsonObject, Response
from ...wire.openai_error import ProxyError
from ..last_exchanges import LastExchanges


class PageRoom(Protocol):
    """The page in a browser: its files, and what it asks for."""

    def file(self, name: str) -> Response | None:
        """One of its files; `None`: there is no such file."""

    async def ask(self, what: str, values: Mapping[str, Any], language: str) -> Response | ProxyError:
        """The answer to what it asks for, by the name in `page_routes`, with the parameters. Raises nothing."""


@dataclass(slots=True)
class Rooms:
    """The functions; all give plain data."""

    metrics: Callable[[str], tuple[str, bytes]]
    """The header `Accept` -> content type and text of all metrics."""
    checks: Callable[[str], Sequence[Mapping[str, object]]] = lambda _: ()
    """Language -> each check: its name, state, since when, when it was last looked at, a message."""
    status: Callable[[str], JsonObject] = lambda _: {}
    """Language -> what `/status` says beside that."""
    exchanges: LastExchanges = field(default_factory=LastExchanges)
    is_started: Callable[[], bool] = lambda: False
    """Whether clients are served by now."""
    page: PageRoom | None = None
    """The page; `None`: there is none."""
    draining: bool = False
    """The process ends: no new requests are taken."""

    def why_not_ready(self) -> str:
        """Why no requests should be sent here, in a word; `""` if they should."""
        if self.draining:
            return "draining"
        if not self.is_started():
            return "starting"
        return "unhealthy" if any(check["state"] == "unhealthy" for check in self.checks("en")) else ""
