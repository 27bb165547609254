"""Lending the user's API key to clients that have none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..config.options import OptionError, Settings
from ..hooks.startup import is_loopback
from ..wire import host_names
from . import cors
from .callers import Caller
from .client_tokens import CARRIERS
from .secret_files import SecretFile, SecretFileError

VARIABLE = "HUNYUAN_API_KEY"
"""The environment variable that the key is in. Never an option: mitmweb shows options to whoever opens it."""
FILE_VARIABLE = "HUNYUAN_API_KEY_FILE"
"""The environment variable that names the key's file where the option doesn't."""

_KEY = re.compile(r"[\x21-\x7e]+")


class LentKey:
    """The key to lend: of the file that the option names, else `HUNYUAN_API_KEY`, else of `HUNYUAN_API_KEY_FILE`."""

    def __init__(self, environment: Mapping[str, str] = os.environ, file: SecretFile[str] | None = None) -> None:
        self._environment = environment
        self._file = file

    def configured(self, settings: Settings) -> LentKey:
        """The key as `settings` and the environment say: this one, if that is the same file. Raises `OptionError`."""
        source, path = self._source(settings)
        try:
            if self._given:
                _key(self._given)
        except ValueError as error:
            raise OptionError(f"{VARIABLE}: {error}") from None
        if path == (self._file.path if self._file else None):
            return self
        try:
            return LentKey(self._environment, SecretFile(path, _key) if path else None)
        except SecretFileError as error:
            raise OptionError(f"{source}: {error}") from None

    def _source(self, settings: Settings) -> tuple[str, Path | None]:
        """Who names the file, and the file; `None` where the key is not in one."""
        if settings.api_key_file:
            # Before the environment: who changes the option while the proxy runs means to change the key.
            return "hunyuan_api_key_file", settings.api_key_file
        named = "" if self._given else self._environment.get(FILE_VARIABLE, "").strip()
        return FILE_VARIABLE, Path(os.path.expanduser(named)).absolute() if named else None

    @property
    def value(self) -> str | None:
        """The key, `None` where there is none."""
        return self._file.content if self._file else self._given or None

    @property
    def _given(self) -> str:
        return self._environment.get(VARIABLE, "").strip()

    async def refresh(self) -> None:
        """Take over a changed file; one that is wrong is logged, and the key that was there before stays in force."""
        if self._file:
            await self._file.refresh()


def _key(text: str) -> str:
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise ValueError("needed is one key and nothing else, without blanks")
    return key


class Withheld(Enum):
    """Why the key is not put on a request."""

    OWN = "it has a key of its own"
    STRANGER = "its client is not on this machine and has shown no token"
    FORWARDED = (
        "another proxy has sent it on (X-Forwarded-For, Forwarded, Via and the like), so that nobody knows whose it "
        "is: its client must show a token (hunyuan_client_tokens_file, scripts/token)"
    )
    ORIGIN = "it comes from a web page that hunyuan_allowed_origins doesn't name"
    HOST = (
        "it was addressed to a host that is not this proxy, as by a web page that lets its own name lead here: as the "
        "host of the base URL take 127.0.0.1 or localhost, or show a token"
    )
    IN_CLEAR = "it would leave the proxy unencrypted"
    UNVERIFIED = (
        "ssl_insecure is on, so that nobody knows who would get it: name the authority that the endpoint's certificate "
        "is from (ssl_verify_upstream_trusted_ca)"
    )
    PATH = "the key is for chat completions, embeddings and getting the list of models"
    NONE = "it has none to lend (HUNYUAN_API_KEY, hunyuan_api_key_file)"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes, as far as the key is concerned."""

    on_this_machine: bool
    """To a loopback address, and not by another proxy."""
    encrypted: bool
    verified: bool
    """Certificates are checked, under the name of the host."""


def lend(
    key: str | None,
    headers: Mapping[str, str],
    caller: Caller,
    to: Destination,
    *,
    addressed: bool,
    origins: frozenset[str],
) -> str | Withheld:
    """The `Authorization` to put on a request, or why it gets none. To be called after `access.recognised`.

    `key`: `None` also where it is lent to nobody (`startup.not_lending`). It goes to clients on this machine and to
    those that have shown who they are. The former may stand for somebody else: a web server in front of the proxy, or
    a browser. So a client that has shown nothing gets no key for a request that was sent on (`FORWARDING`), nor for
    one that wasn't `addressed` to this proxy or to a known host (a page's own name may lead to 127.0.0.1: DNS
    rebinding). A web page's request (`Origin`, or `Sec-Fetch-Site` with a word for another site) gets none unless its
    origin is one of `origins`. Nor does the key leave this machine unencrypted, or to somebody unverified.
    """
    from_allowed_page = cors.is_allowed(headers, origins)
    from_other_page = "origin" in headers or not _own_page(headers)
    reasons = (
        (Withheld.OWN, has_key(headers)),
        (Withheld.STRANGER, not caller.trusted),
        (Withheld.FORWARDED, not caller.known and any(FORWARDING.fullmatch(name) for name in headers)),
        (Withheld.ORIGIN, from_other_page and not from_allowed_page),
        (Withheld.HOST, not (caller.known or addressed)),
        (Withheld.IN_CLEAR, not (to.encrypted or to.on_this_machine)),
        (Withheld.UNVERIFIED, not (to.verified or to.on_this_machine)),
        (Withheld.NONE, not key),
    )
    return next((reason for reason, holds in reasons if holds), f"Bearer {key}")


FORWARDING = re.compile(
    r"forwarded|via|x-forwarded(-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|x-original-(for|host|proto)"
    r"|true-client-ip|cf-(connecting-ip.*|ray|visitor)|fastly-client-ip|fly-client-ip|x-envoy-external-address",
    re.IGNORECASE | re.DOTALL,
)
"""Names of headers that web servers, tunnels and content delivery networks put on what they send on."""


def _own_page(headers: Mapping[str, str]) -> bool:
    """Whether no browser says that a page of another site has sent this (Fetch Metadata, w3.org/TR/fetch-metadata)."""
    return headers.get("sec-fetch-site", "none").strip().lower() in ("none", "same-origin")


def is_addressed(sent: Sequence[str], own: Collection[str], known: Callable[[str], bool]) -> bool:
    """Whether a request was addressed to this proxy: `sent` is what came as `Host` and `:authority`.

    `own`: the names and addresses of the listener that it came to; `known`: whether a host is one of this addon's.
    """
    hosts = [host_names.host_in(authority) for authority in sent]
    return bool(hosts) and all(is_loopback(host) or host in own or known(host) for host in hosts)


def has_key(headers: Mapping[str, str]) -> bool:
    """Whether a request has an API key of its own. A scheme without a key is none: some clients send that."""
    given = (headers.get(name, "").strip() for name in CARRIERS)
    return any(value and value.lower() != "bearer" for value in given)
