"""Every option, once: name, type, default, help, and how its value is read.

mitmproxy knows only strings and switches here: a wrong value of another type would keep the addon from
loading without a word (facts/mitmproxy.md section 0, row 5). What the strings mean is checked in `parse`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from addon.profiles import PROFILE_NAMES
from addon.texts import LANGUAGES

PREFIX = "hunyuan_"
"""What every option's name starts with."""

MODES = ("repair", "observe", "off")
"""What is done to bodies: the values of `hunyuan_mode`."""

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class OptionError(ValueError):
    """An option's value that can't be read; the text names the option, the value and what is accepted."""


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """An API's base URL in parts; `path` without a trailing slash, `""` for none."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """As it is written, without a port that is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All options, read. Sizes in bytes, times in seconds, `None` where the profile decides."""

    hosts: Mapping[str, str | None]
    """Host -> profile name; `None` where only the host was given."""
    profile: str | None
    upstream: BaseUrl | None
    cascade: Literal["auto", "always", "never"]
    vision_model: str | None
    text_model: str | None
    vision_concurrency: int
    vision_timeout: float
    vision_tries: int
    cascade_deadline: float
    image_max_bytes: int
    image_max_count: int
    cache_entries: int
    cache_bytes: int
    cache_ttl: float
    max_body: int
    max_messages: int | None
    outgoing_proxy: str | None
    keep_params: frozenset[str]
    language: str
    successors: Mapping[str, str]
    overlong: Literal["warn", "error"]
    intercept_all: bool
    allow_open: bool
    mode: Literal["repair", "observe", "off"]
    keep_original: int
    keep_streams: int
    redact: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option: a row of the table in the README, of mitmweb's options page and of `--options`."""

    name: str
    default: str | bool
    help: str
    read: Callable[[str], object] | None = None
    """Text -> value; raises `ValueError` with what is accepted. `None` for switches."""

    @property
    def type(self) -> type[str] | type[bool]:
        """The type that mitmproxy is told."""
        return type(self.default)

    @property
    def field(self) -> str:
        """The attribute of `Settings`."""
        return self.name.removeprefix(PREFIX)


def parse(values: Mapping[str, object]) -> Settings:
    """Read the options `values` (name -> text or switch; absent ones have their default).

    Raises `OptionError` for the first value that can't be read.
    """
    fields: dict[str, Any] = {}
    for option in OPTIONS:
        fields[option.field] = _value(option, values.get(option.name, option.default))
    return Settings(**fields)


def _value(option: Option, value: object) -> object:
    if option.read is None:
        if not isinstance(value, bool):
            raise OptionError(f"{option.name}={value}: accepted are true and false")
        return value
    text = str(value).strip()
    try:
        return option.read(text)
    except ValueError as error:
        raise OptionError(f"{option.name}={_shown(text)}: {error}") from None


def _shown(text: str) -> str:
    """A value as an error may show it: without a password in a URL."""
    return re.sub(r"//[^/@]*@", "//***@", text)


def _optional[T](read: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda text: read(text) if text else None


def _name(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("accepted is a model id")
    return text


def _choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"accepted are {', '.join(choices)}")
        return text

    return read


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmg]?)b?", text.lower())
    if not match or not int(match[1]):
        raise ValueError("accepted is a size above 0 such as 10m, 512k or 1048576 (k, m, g: powers of 1024)")
    return int(match[1]) * _UNITS[match[2]]


def _bound(text: str) -> int:
    return 0 if text == "0" else _size(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.lower().removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("accepted is a number of seconds above 0 such as 60 or 1.5")
    return seconds


def _count(minimum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d+", text) or int(text) < minimum:
            raise ValueError(f"accepted is a whole number from {minimum} up")
        return int(text)

    return read


def _names(text: str) -> frozenset[str]:
    return frozenset(_items(text))


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for item in _items(text):
        old, equals, new = (part.strip() for part in item.partition("="))
        if not (old and equals and new):
            raise ValueError(f"accepted is old=new, comma separated; {item!r} is not")
        pairs[old] = new
    return pairs


def _hosts(text: str) -> dict[str, str | None]:
    hosts: dict[str, str | None] = {}
    for item in _items(text):
        host, _, profile = (part.strip() for part in item.partition("="))
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", host):
            raise ValueError(f"accepted is host or host=profile, comma separated, without a port; {item!r} is not")
        if profile and profile not in PROFILE_NAMES:
            raise ValueError(f"profile {profile!r} is unknown; accepted are {', '.join(PROFILE_NAMES)}")
        hosts[host.lower().strip("[].")] = profile or None
    return hosts


def _base_url(text: str) -> BaseUrl:
    accepted = "accepted is a base URL such as https://tokenhub.tencentmaas.com/v1"
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(accepted) from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host or port == 0:
        raise ValueError(accepted)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{accepted}, without user name, query or fragment")
    path = parts.path.rstrip("/")
    if path.endswith(("/chat/completions", "/embeddings")):
        raise ValueError(f"{accepted}, without the path of one API")
    return BaseUrl("https" if scheme == "https" else "http", host, port or (443 if scheme == "https" else 80), path)


def _proxy(text: str) -> str:
    parts = urlsplit(text)
    try:
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.path.strip("/") or parts.query:
        raise ValueError("accepted is a proxy such as http://127.0.0.1:3128")
    return text


OPTIONS: tuple[Option, ...] = (
    Option(
        "hunyuan_hosts",
        "",
        "More hosts to repair requests for: host or host=profile, comma separated. Needed in reverse mode in "
        "front of something local, e.g. 127.0.0.1=hunyuan.",
        _hosts,
    ),
    Option(
        "hunyuan_profile",
        "",
        "One profile for all hosts: hunyuan (the strict legacy endpoint) or tokenhub (its successor). Default: "
        "the profile of the host that is called.",
        _optional(_choice(*PROFILE_NAMES)),
    ),
    Option(
        "hunyuan_upstream",
        "",
        "Send what clients address to a known host to this base URL instead, e.g. "
        "https://tokenhub.tencentmaas.com/v1, under that host's profile; retired model ids are mapped.",
        _optional(_base_url),
    ),
    Option(
        "hunyuan_cascade",
        "auto",
        "Images to text with a vision model: auto (the model can't see, or tools are asked for), always, never.",
        _choice("auto", "always", "never"),
    ),
    Option(
        "hunyuan_vision_model",
        "",
        "The model that describes images. Default: the profile's.",
        _optional(_name),
    ),
    Option(
        "hunyuan_text_model",
        "",
        "The model that a vision model with tools is switched to. Default: the profile's.",
        _optional(_name),
    ),
    Option("hunyuan_vision_concurrency", "3", "Images of one request described at once.", _count(1)),
    Option("hunyuan_vision_timeout", "60", "Seconds that one vision call may take.", _seconds),
    Option("hunyuan_vision_tries", "3", "Tries for a vision call whose failure may pass.", _count(1)),
    Option(
        "hunyuan_cascade_deadline",
        "90",
        "Seconds in which all vision calls of one request must end; clients drop a silent upstream after 120.",
        _seconds,
    ),
    Option("hunyuan_image_max_bytes", "10m", "Size of an image beyond which it is not described.", _size),
    Option(
        "hunyuan_image_max_count",
        "20",
        "Images of one request that may need a vision call, newest first; the rest get a note.",
        _count(1),
    ),
    Option("hunyuan_cache_entries", "1000", "Image descriptions kept in memory.", _count(1)),
    Option("hunyuan_cache_bytes", "16m", "Memory for image descriptions.", _size),
    Option(
        "hunyuan_cache_ttl",
        "3600",
        "Seconds that the description of an image given by http URL, or a failure for good, is kept.",
        _seconds,
    ),
    Option(
        "hunyuan_max_body",
        "64m",
        "Size of an unpacked request body beyond which the request is refused (413).",
        _size,
    ),
    Option(
        "hunyuan_max_messages",
        "",
        "Messages in one request beyond which the oldest turns are folded into one. Default: the profile's.",
        _optional(_count(4)),
    ),
    Option(
        "hunyuan_outgoing_proxy",
        "",
        "HTTP proxy for the addon's own calls (vision). Default: mitmproxy's upstream proxy, if it has one.",
        _optional(_proxy),
    ),
    Option(
        "hunyuan_keep_params",
        "",
        "Parameters that are left alone, comma separated.",
        _names,
    ),
    Option(
        "hunyuan_language",
        "zh",
        "Language of the texts that are put into a conversation: zh or en.",
        _choice(*LANGUAGES),
    ),
    Option(
        "hunyuan_successors",
        "",
        "Model ids to map when re-routed, before those that are built in: old=new, comma separated.",
        _pairs,
    ),
    Option(
        "hunyuan_overlong",
        "warn",
        "Input estimated past the model's limit, which the endpoint would cut without a word: warn (log and "
        "response header) or error (400).",
        _choice("warn", "error"),
    ),
    Option(
        "hunyuan_intercept_all",
        False,
        "For debugging: decrypt connections to every host, and log all of them.",
    ),
    Option(
        "hunyuan_allow_open",
        False,
        "Allow a listen address beyond this machine without proxyauth.",
    ),
    Option(
        "hunyuan_mode",
        "repair",
        "What is done to bodies: repair, observe (they pass as they come, and the log says what would have been "
        "changed) or off. For one request: header x-hunyuan-mode, which goes no further.",
        _choice(*MODES),
    ),
    Option(
        "hunyuan_keep_original",
        "1m",
        "Size up to which a rewritten request is kept as it came, for the views and in saved flows; 0: never.",
        _bound,
    ),
    Option(
        "hunyuan_keep_streams",
        "1m",
        "Bytes of a streamed answer that are kept for the views and in saved flows; 0: none.",
        _bound,
    ),
    Option(
        "hunyuan_redact",
        True,
        "Replace keys, cookies and passwords in a flow once the exchange is over. A replay then has no key.",
    ),
)
"""The table. No key is in it, ever: mitmweb shows every option to whoever opens it."""
