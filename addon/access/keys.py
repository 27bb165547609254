"""Lending the user's API key to clients that have none. It is for the hosts of one vendor (`vendors`)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

from ..config import values as read
from ..config.command_names import command
from ..config.option import OptionError, option
from ..texts.terminal import say
from ..wire import host_names
from ..wire.host_names import is_loopback
from . import cors
from .callers import Caller
from .client_tokens import CARRIERS
from .http_message import Headers
from .secret_files import SecretFile, SecretFileError

VARIABLE = "HUNYUAN_API_KEY"
"""The environment variable with the key. Never an option: mitmweb shows all options to its users."""
FILE_VARIABLE = "HUNYUAN_API_KEY_FILE"
"""The environment variable with the key file's path, used when the option is empty."""

PLACEHOLDER = "hunyuan-fix"
"""What a client that must have a key sends to be lent the proxy's: Cline's form, say, accepts no empty one."""

_NO_KEYS = frozenset(("bearer", PLACEHOLDER, f"bearer {PLACEHOLDER}"))
_KEY = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class KeySettings:
    """The file with the key to lend."""

    api_key_file: Path | None = option(
        "",
        "File with the key to lend, in place of HUNYUAN_API_KEY; readable by its owner only.",
        read.optional(read.path),
    )


class LentKey:
    """The key to lend: from the option's file, else `HUNYUAN_API_KEY`, else the file of `HUNYUAN_API_KEY_FILE`."""

    def __init__(self, environment: Mapping[str, str] = os.environ, file: SecretFile[str] | None = None) -> None:
        self._environment = environment
        self._file = file

    def configured(self, settings: KeySettings) -> LentKey:
        """The key for `settings` and the environment; this object if the file is the same. Raises `OptionError`."""
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

    def _source(self, settings: KeySettings) -> tuple[str, Path | None]:
        """The option or variable that names the file, and the file; `None` if the key isn't in a file."""
        if settings.api_key_file:
            # Before the environment: changing the option while the proxy runs must change the key.
            return "hunyuan_api_key_file", settings.api_key_file
        named = "" if self._given else self._environment.get(FILE_VARIABLE, "").strip()
        return FILE_VARIABLE, Path(os.path.expanduser(named)).absolute() if named else None

    @property
    def value(self) -> str | None:
        """The key, or `None`."""
        return self._file.content if self._file else self._given or None

    @property
    def file(self) -> SecretFile[str] | None:
        """The file that the key is in; `None` if it isn't in one."""
        return self._file

    @property
    def _given(self) -> str:
        return self._environment.get(VARIABLE, "").strip()

    async def refresh(self) -> None:
        """Read a changed file. An invalid one is logged, and the previous key stays in use."""
        if self._file:
            await self._file.refresh()


def _key(text: str) -> str:
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise ValueError(say("needed is one key and nothing else, without blanks"))
    return key


class Withheld(Enum):
    """Why a request is not lent the key."""

    OWN = "it has a key of its own"
    STRANGER = (
        "its client has sent no token: it is not on this machine, or those need one too (hunyuan_trust_loopback=false)"
    )
    FORWARDED = (
        "another proxy has forwarded it (X-Forwarded-For, Forwarded, Via and the like), so its client is unknown: the "
        f"client must send a token (hunyuan_client_tokens_file, {command('token')}). Not every proxy says that it "
        "forwards: behind one set hunyuan_trust_loopback=false"
    )
    ORIGIN = "it comes from a web page that hunyuan_allowed_origins doesn't name"
    HOST = (
        "it was addressed to a host that is not this proxy, as by a web page whose name resolves to it: use 127.0.0.1 "
        "or localhost as the base URL's host, or send a token"
    )
    VENDOR = (
        "the key is for the vendor of hunyuan_upstream, or for Tencent without one, this host is another vendor's, and "
        "hunyuan_keys_file names none for it"
    )
    IN_CLEAR = "it would leave the proxy unencrypted"
    UNVERIFIED = (
        "ssl_insecure is on, so the receiver isn't verified: name the CA of the endpoint's certificate "
        "(ssl_verify_upstream_trusted_ca)"
    )
    PATH = "the key is for calls of the known APIs, and for getting the list of models"
    UNSIGNED = "its body passes unread (hunyuan_mode, x-hunyuan-mode: off), and the endpoint wants it signed"
    NONE = "it has none to lend (HUNYUAN_API_KEY, hunyuan_api_key_file)"
    UNNAMED = "hunyuan_keys_file names none for it"
    UNSET = "the environment variable that hunyuan_keys_file names for it isn't set"
    CLIENT = "its client may not be lent a key"


@dataclass(frozen=True, slots=True)
class Destination:
    """What decides whether a key may go to a request's destination."""

    on_this_machine: bool
    """A loopback address, reached without another proxy."""
    encrypted: bool
    verified: bool
    """Its certificate is verified for the host's name."""
    of_the_keys_vendor: bool
    """It belongs to the vendor that the key is for (`route.Route.lends`), or the key is named for it."""


def lend(
    key: str | None,
    headers: Mapping[str, str],
    caller: Caller,
    to: Destination,
    *,
    addressed: Callable[[], bool],
    origins: frozenset[str],
) -> str | Withheld:
    """The `Authorization` value for a request, or why it gets none. Call it after `access.recognised`.

    `key`: `None` also if it is never lent (`listeners.why_key_is_not_lent`). The key never leaves this machine
    unencrypted or to an unverified host, and goes to hosts of its own vendor only, for a sender that may have it.
    """
    if has_key(headers):
        return Withheld.OWN
    if not to.of_the_keys_vendor:
        return Withheld.VENDOR
    if (withheld := withheld_from(headers, caller, addressed=addressed, origins=origins) or unsafe(to)) is not None:
        return withheld
    return f"Bearer {key}" if key else Withheld.NONE


def withheld_from(
    headers: Mapping[str, str], caller: Caller, *, addressed: Callable[[], bool], origins: frozenset[str]
) -> Withheld | None:
    """Why the sender of a request is lent no key; `None`: it may be lent one.

    Keys are lent to clients on this machine and to authenticated ones. A client on this machine may act for another: a
    web server in front of the proxy, or a browser. So an unauthenticated client gets no key for a forwarded request
    (`FORWARDING`), nor for one that wasn't `addressed` to this proxy or a known host (DNS rebinding: a page's name may
    resolve to 127.0.0.1). A web page's request (`Origin`, or a cross-site `Sec-Fetch-Site`) gets none unless its origin
    is in `origins`.
    """
    if not caller.trusted:
        return Withheld.STRANGER
    if not caller.known and any(FORWARDING.fullmatch(name) for name in headers):
        return Withheld.FORWARDED
    if ("origin" in headers or not _own_page(headers)) and not cors.is_allowed(headers, origins):
        return Withheld.ORIGIN
    if not (caller.known or addressed()):
        return Withheld.HOST
    return None


def unsafe(to: Destination) -> Withheld | None:
    """Why no key may leave for a destination, whoever sends the request."""
    if not (to.encrypted or to.on_this_machine):
        return Withheld.IN_CLEAR
    if not (to.verified or to.on_this_machine):
        return Withheld.UNVERIFIED
    return None


def identity(caller: Caller, headers: Mapping[str, str], user: str = "") -> bytes:
    """What tells callers apart: a digest of the token's client, else of the request's own key and the name that it
    signed in with.

    `user`: the name that `proxyauth` accepted. Programs on this machine that send neither are one caller. Call it
    before a key is lent.
    """
    own = headers.get("authorization", "").strip()
    if own.lower() in ("", "bearer"):  # not, as nearly always, the key itself
        own = (authorization(headers) if has_key(headers) else None) or ""
    told = ("client", caller.client) if caller.client else ("key", own, user if caller.signed_in else "")
    return _identity(told)


@lru_cache(256)
def _identity(told: tuple[str, ...]) -> bytes:
    return hashlib.sha256(repr(told).encode()).digest()[:_IDENTITY]


_IDENTITY = 16
"""Bytes of a caller's digest."""


def send_as_bearer(headers: Headers, *, alone: bool) -> bool:
    """Put the API key of a request to a chat endpoint into `Authorization: Bearer`, if it stands in another header.

    A key in `Authorization` counts before one elsewhere, and those before each other as in `CARRIERS`. The others stay
    beside a key in `Authorization` unless it is to be `alone`. Returns whether the key was moved.
    """
    if not any(name.lower() in _OTHER_FIELDS for name, _ in headers.fields):
        return False  # as nearly always
    others = [key for name in _OTHER_CARRIERS for value in headers.get_all(name) if (key := _bare(value))]
    authorization = headers.get("authorization", "").strip()
    moved = bool(others) and not (_BEARER.match(authorization) and _bare(authorization))
    if moved:
        headers.set_all("Authorization", [f"Bearer {others[0]}"])
    if moved or alone:
        for name in _OTHER_CARRIERS:
            headers.pop(name, None)
    return moved


def authorization(headers: Mapping[str, str]) -> str | None:
    """The API key of a request as the value of `Authorization`, also where it stands in another header; or `None`."""
    given = headers.get("authorization")
    if given:
        return given
    other = next((key for name in _OTHER_CARRIERS if (key := _bare(headers.get(name) or ""))), None)
    return f"Bearer {other}" if other else None


def _bare(value: str) -> str:
    """The key in a header's value, which may have `Bearer` before it in any header."""
    return _BEARER.sub("", value.strip()).strip()


def drop(headers: Headers) -> bool:
    """Remove all that a request to another vendor's host authenticates with. Returns whether it had an API key."""
    had_key = has_key({name: headers.get(name, "") for name in CARRIERS})
    headers.fields = tuple(field for field in headers.fields if not is_secret(field[0].decode("latin-1")))
    return had_key


_BEARER = re.compile(r"bearer(?=\s|\Z)", re.IGNORECASE)
_OTHER_CARRIERS = tuple(name for name in CARRIERS if name != "authorization")
_OTHER_FIELDS = frozenset(name.encode() for name in _OTHER_CARRIERS)
_SECRET = re.compile(
    r"(?:authorization|cookie|api-?key|subscription-key|token|secret|password|signature)$", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Whether a header of this name holds a secret: a key, a cookie, a password."""
    return _SECRET.search(name) is not None


FORWARDING = re.compile(
    r"forwarded|via|x-forwarded(-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|x-original-(for|host|proto)"
    r"|true-client-ip|cf-(connecting-ip.*|ray|visitor)|fastly-client-ip|fly-client-ip|x-envoy-external-address",
    re.IGNORECASE | re.DOTALL,
)
"""Names of headers that web servers, tunnels and content delivery networks add to forwarded requests."""


def _own_page(headers: Mapping[str, str]) -> bool:
    """Whether `Sec-Fetch-Site` is absent or names no other site (w3.org/TR/fetch-metadata)."""
    return headers.get("sec-fetch-site", "none").strip().lower() in ("none", "same-origin")


def is_addressed(sent: Sequence[str], own: Collection[str], known: Callable[[str], bool]) -> bool:
    """Whether a request was addressed to this proxy or a known host. `sent`: its `Host` and `:authority`.

    `own`: names and addresses of the listener that received it; `known`: whether a host is one of this addon's.
    """
    hosts = [host_names.host_in(authority) for authority in sent]
    return bool(hosts) and all(is_loopback(host) or host in own or known(host) for host in hosts)


def has_key(headers: Mapping[str, str]) -> bool:
    """Whether a request has its own API key. A bare scheme doesn't count: some clients send `Bearer` alone.

    Nor does `PLACEHOLDER`.
    """
    for name in CARRIERS:
        value = headers.get(name, "").strip()
        if value and value.lower() not in _NO_KEYS:
            return True
    return False


def drop_placeholder(headers: Headers) -> None:
    """Remove what stands in place of a key from the headers other than `Authorization`, where the lent key is now."""
    for name in _OTHER_CARRIERS:
        if headers.get(name, "").strip().lower() in _NO_KEYS:
            headers.pop(name, None)
