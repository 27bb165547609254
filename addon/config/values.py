"""Readers of option values: text -> value. They raise `ValueError` with what is accepted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import platformdirs

from .. import profiles
from ..did_you_mean import suggestion
from ..texts.terminal import say
from . import redis_urls

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """An API's base URL in parts; `path` without a trailing slash, `""` for none."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """The URL, without the scheme's default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


@dataclass(frozen=True, slots=True)
class StorePlaces:
    """The stores below memory, which is always there."""

    sqlite: Path | None = None
    redis: str | None = None
    """A URL without a password, which is taken from the environment (`HUNYUAN_REDIS_PASSWORD`)."""

    def beside(self, name: str) -> StorePlaces:
        """The same places, but for a file of this name beside that of `sqlite`."""
        return self if self.sqlite is None else replace(self, sqlite=self.sqlite.with_name(name))


@dataclass(frozen=True, slots=True)
class Reader[T]:
    """A function text -> value, and what it accepts: in English, for the table of options."""

    read: Callable[[str], T]
    accepted: str
    is_table: bool = False
    """Its text is JSON, a list of objects: the rows of a table."""

    def __call__(self, text: str) -> T:
        """The value of `text`. Raises `ValueError` with what is accepted."""
        return self.read(text)


def accepting[T](accepted: str, *, is_table: bool = False) -> Callable[[Callable[[str], T]], Reader[T]]:
    """Make a function a reader."""
    return lambda read: Reader(read, accepted, is_table)


def optional[T](read: Callable[[str], T]) -> Reader[T | None]:
    """Like `read`; `None` for an empty text."""
    return Reader(lambda text: read(text) if text else None, accepted_by(read))


def accepted_by(read: Callable[[str], object] | None) -> str:
    """What a reader accepts; without one it is a switch."""
    if read is None:
        return "`true`, `false`"
    return read.accepted if isinstance(read, Reader) else "text"


@accepting("a model id")
def name(text: str) -> str:
    """A model id."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError(say("accepted is a model id"))
    return text


def choice[C: str](*choices: C) -> Callable[[str], C]:
    """One of `choices`: a `Reader`, whose type would lose the literals."""

    def read(text: str) -> C:
        for accepted in choices:
            if text == accepted:
                return accepted
        near = suggestion(text, choices)
        raise ValueError(say("accepted are {choices}", choices=", ".join(choices)) + near)

    return Reader(read, ", ".join(f"`{choice}`" for choice in choices))


@accepting("a size")
def size(text: str) -> int:
    """Bytes, above 0."""
    match = re.fullmatch(r"(\d{1,18})([kmg]?)b?", text.lower())
    if not match or not int(match[1]):
        raise ValueError(say("accepted is a size above 0 such as 10m, 512k or 1048576 (k, m, g: powers of 1024)"))
    return int(match[1]) * _UNITS[match[2]]


@accepting("a size, or 0")
def bound(text: str) -> int:
    """Bytes; 0 is allowed."""
    return 0 if text == "0" else size(text)


@accepting("seconds")
def seconds(text: str) -> float:
    """Seconds, above 0."""
    try:
        seconds = float(text.lower().removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(say("accepted is a number of seconds above 0 such as 60 or 1.5"))
    return seconds


@accepting("seconds, or 0")
def pause(text: str) -> float:
    """Seconds; 0 is allowed."""
    if text.lower() in ("0", "0s"):
        return 0.0
    try:
        return seconds(text)
    except ValueError:
        raise ValueError(say("accepted is a number of seconds such as 10 or 1.5, or 0")) from None


def count(minimum: int) -> Reader[int]:
    """A whole number from `minimum` up."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text) or int(text) < minimum:
            raise ValueError(say("accepted is a whole number from {minimum} up", minimum=minimum))
        return int(text)

    return Reader(read, f"a whole number from {minimum}")


@accepting("names, comma separated")
def names(text: str) -> frozenset[str]:
    """A set, comma separated."""
    return frozenset(items(text))


def items(text: str) -> list[str]:
    """A list, comma separated."""
    return [item.strip() for item in text.split(",") if item.strip()]


@accepting("`old=new`, comma separated")
def pairs(text: str) -> dict[str, str]:
    """old=new, comma separated."""
    pairs = {}
    for item in items(text):
        old, equals, new = (part.strip() for part in item.partition("="))
        if not (old and equals and new):
            raise ValueError(say("accepted is old=new, comma separated; {item!r} is not", item=item))
        pairs[old] = new
    return pairs


@accepting("the name of a profile")
def profile(text: str) -> str:
    """The name of a profile."""
    return choice(*profiles.names())(text)


@accepting("`host` or `host=profile`, comma separated, without ports")
def hosts(text: str) -> dict[str, str | None]:
    """Host -> profile name or `None`, comma separated."""
    hosts: dict[str, str | None] = {}
    known = profiles.names()
    for item in items(text):
        host, _, profile = (part.strip() for part in item.partition("="))
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", host):
            raise ValueError(
                say("accepted is host or host=profile, comma separated, without a port; {item!r} is not", item=item)
            )
        if profile and profile not in known:
            unknown = say(
                "profile {profile!r} is unknown; accepted are {known}", profile=profile, known=", ".join(known)
            )
            raise ValueError(unknown + suggestion(profile, known))
        hosts[host.lower().strip("[].")] = profile or None
    return hosts


def base_url(text: str) -> BaseUrl:
    """The base URL of an API. A host with other characters than ASCII becomes the one that is asked for (RFC 3490)."""
    accepted = say("accepted is a base URL such as https://tokenhub.tencentmaas.com/v1")
    parts, host, port = _located(text, accepted)
    if not re.fullmatch(r"[\w.~!$&'()*+,;=:@%/-]*", parts.path, re.ASCII):  # RFC 3986 section 3.3
        raise ValueError(accepted)
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise ValueError(accepted)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            say(
                "accepted is a base URL such as https://tokenhub.tencentmaas.com/v1, without user name, query or "
                "fragment"
            )
        )
    port = port or (443 if scheme == "https" else 80)
    return BaseUrl("https" if scheme == "https" else "http", host, port, parts.path.rstrip("/"))


@accepting("the URL of a proxy, `http://` or `https://`")
def proxy(text: str) -> str:
    """The URL of an HTTP proxy."""
    accepted = say("accepted is a proxy such as http://127.0.0.1:3128")
    parts, _, _ = _located(text, accepted)
    if parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise ValueError(accepted)
    return text.strip()


def _located(text: str, accepted: str) -> tuple[SplitResult, str, int | None]:
    """The parts of a URL, its host in ASCII and its port. Raises `ValueError(accepted)` without valid ones."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        if ":" not in host:  # an IPv6 address, which `urlsplit` has checked
            host = host.removesuffix(".").encode("idna").decode("ascii")
    except ValueError:
        raise ValueError(accepted) from None
    if not (":" in host or (len(host) <= _LONGEST_HOST and re.fullmatch(r"[\w-]+(\.[\w-]+)*", host))) or port == 0:
        raise ValueError(accepted)
    return parts, host, port


_LONGEST_HOST = 253
"""RFC 1035 section 2.3.4, as text."""


@accepting("a path")
def path(text: str) -> Path:
    """A file, `~` for the user's folder. A relative path begins at the folder in which the process was started."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # `~user` of an unknown user
        raise ValueError(say("accepted is the path of a file")) from None


@accepting("paths, comma separated")
def paths(text: str) -> tuple[Path, ...]:
    """Files, comma separated; `,,` is a comma within a path."""
    items = (item.replace("\0", ",").strip() for item in text.replace(",,", "\0").split(","))
    return tuple(path(item) for item in items if item)


@accepting("origins such as `http://localhost:3000`, comma separated")
def origins(text: str) -> frozenset[str]:
    """Origins of web pages such as http://localhost:3000, comma separated."""
    for item in items(text):
        accepted = say(
            "accepted are origins such as http://localhost:3000, comma separated; {item!r} is none", item=item
        )
        parts, _, _ = _located(item, accepted)
        if not parts.scheme or parts.path or parts.query or parts.fragment:
            raise ValueError(accepted)
    return frozenset(item.lower() for item in items(text))


@accepting("`memory`, `sqlite`, `sqlite:PATH`, `redis://HOST:PORT/DB`, `redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB`")
def store(text: str) -> StorePlaces:
    """memory, sqlite, sqlite:PATH, redis://HOST; sqlite and redis together, comma separated."""
    accepted = say(
        "accepted are memory, sqlite, sqlite:PATH and redis://HOST:PORT/DB or redis+sentinel://HOST:PORT/NAME/DB; "
        "sqlite and one of the last two also together"
    )
    named, places = list(redis_urls.joined(items(text))), StorePlaces()
    if not named:
        raise ValueError(accepted)
    for item in named:
        kind, _, place = item.partition(":")
        if kind == "sqlite" and places.sqlite is None:
            places = replace(places, sqlite=path(place) if place else data_folder() / "store.sqlite3")
        elif redis_urls.is_redis(item) and places.redis is None:
            places = replace(places, redis=_redis_url(item))
        elif named != ["memory"]:
            raise ValueError(accepted)
    return places


def _redis_url(text: str) -> str:
    accepted = say("accepted is a URL such as redis://127.0.0.1:6379/0, or rediss:// for TLS")
    if text.partition(":")[0].lower() in redis_urls.SCHEMES:
        parts, _, _ = _located(text, accepted)
        has_password = parts.password is not None
    else:
        has_password = ":" in text.partition("://")[2].rpartition("@")[0]
    if has_password:
        raise ValueError(
            say(
                "a password does not belong here, where process lists and mitmweb show it: set HUNYUAN_REDIS_PASSWORD "
                "in the environment"
            )
        )
    redis_urls.check(text)
    return text.strip()


def data_folder() -> Path:
    """The user's folder for data of this program."""
    return Path(platformdirs.user_data_dir("hunyuan-fix", appauthor=False))
