"""Where the addon's own calls go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..admission import Account
from ..exchange import Exchange


@dataclass(frozen=True)
class Target:
    """The base URL of the client's request (with `/v1`), and the headers to send there."""

    base_url: str
    headers: Mapping[str, str]
    account: Account | None = None
    """The account that the calls are counted for; `None`: they pass no gate."""
    profile: str = "hunyuan"
    """The name of the endpoint's profile, which says what format it speaks and how calls are signed."""
    exchange: Exchange | None = field(default=None, compare=False, repr=False)
    """For whose request the calls are made."""

    def url(self, path: str) -> str:
        """The URL of `path` below the base URL."""
        return f"{self.base_url.rstrip('/')}{path}"
