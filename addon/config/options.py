"""Every option, once: name, type, default, help, and how its value is read.

For mitmproxy each option is a string or a switch: an invalid value of another type would silently keep the addon from
loading (docs/facts/mitmproxy.md#option-types). `parse` checks what the strings mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..profiles import PROFILE_NAMES
from ..texts import LANGUAGES
from . import values as read
from .values import BaseUrl, StorePlaces

PREFIX = "hunyuan_"
"""The prefix of all option names."""

MODES = ("repair", "observe", "off")
"""What is done to bodies: the values of `hunyuan_mode`."""


class OptionError(ValueError):
    """An invalid option value. The text names the option, the value and what is accepted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All options, parsed. Sizes in bytes, times in seconds; `None`: the profile decides."""

    hosts: Mapping[str, str | None]
    """Host -> profile name; `None` if only the host was given."""
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
    store: StorePlaces
    store_max_bytes: int
    concurrency: int | None
    """Calls under way for one account; 0: any number."""
    concurrency_scope: Literal["key", "profile"]
    queue_max: int
    queue_timeout: float
    retry: Literal["off", "vision", "all"]
    retry_tries: int
    retry_deadline: float
    upstream_timeout: float
    breaker_failures: int
    """0: no circuit breaker."""
    breaker_seconds: float
    api_key_file: Path | None
    client_tokens_file: Path | None
    requests_per_minute: int
    """For client tokens without a limit of their own; 0: any number."""
    tokens_per_minute: int
    allowed_origins: frozenset[str]
    drain_timeout: float
    fast_dispatch: bool
    config: Path | None


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
        """The type declared to mitmproxy."""
        return type(self.default)

    @property
    def field(self) -> str:
        """The attribute of `Settings`."""
        return self.name.removeprefix(PREFIX)


def parse(values: Mapping[str, object]) -> Settings:
    """Parse the options `values` (name -> text or switch; missing ones have their default).

    Raises `OptionError` for the first invalid value.
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
    """The value for an error message: without a user name and password in a URL."""
    return re.sub(r"//[^/@]*@", "//***@", text)


OPTIONS: tuple[Option, ...] = (
    Option(
        "hunyuan_hosts",
        "",
        "More hosts to repair requests for: host or host=profile, comma separated. Needed in reverse mode in "
        "front of something local, e.g. 127.0.0.1=hunyuan.",
        read.hosts,
    ),
    Option(
        "hunyuan_profile",
        "",
        "One profile for all hosts: hunyuan (the strict legacy endpoint) or tokenhub (its successor). Default: "
        "the profile of the host that is called.",
        read.optional(read.choice(*PROFILE_NAMES)),
    ),
    Option(
        "hunyuan_upstream",
        "",
        "Send what clients address to a known host to this base URL instead, e.g. "
        "https://tokenhub.tencentmaas.com/v1, under that host's profile; retired model ids are mapped.",
        read.optional(read.base_url),
    ),
    Option(
        "hunyuan_cascade",
        "auto",
        "Images to text with a vision model: auto (the model can't see, or tools are asked for), always, never.",
        read.choice("auto", "always", "never"),
    ),
    Option(
        "hunyuan_vision_model",
        "",
        "The model that describes images. Default: the profile's.",
        read.optional(read.name),
    ),
    Option(
        "hunyuan_text_model",
        "",
        "The model that a vision model with tools is switched to. Default: the profile's.",
        read.optional(read.name),
    ),
    Option("hunyuan_vision_concurrency", "3", "Images of one request described at once.", read.count(1)),
    Option("hunyuan_vision_timeout", "60", "Seconds that one vision call may take.", read.seconds),
    Option("hunyuan_vision_tries", "3", "Tries for a vision call whose failure may pass.", read.count(1)),
    Option(
        "hunyuan_cascade_deadline",
        "90",
        "Seconds in which all vision calls of one request must end; clients drop a silent upstream after 120.",
        read.seconds,
    ),
    Option("hunyuan_image_max_bytes", "10m", "Size of an image beyond which it is not described.", read.size),
    Option(
        "hunyuan_image_max_count",
        "20",
        "Images of one request that may need a vision call, newest first; the rest get a note.",
        read.count(1),
    ),
    Option("hunyuan_cache_entries", "1000", "Image descriptions kept in memory.", read.count(1)),
    Option("hunyuan_cache_bytes", "16m", "Memory for image descriptions.", read.size),
    Option(
        "hunyuan_cache_ttl",
        "3600",
        "Seconds that the description of an image given by http URL, or a failure for good, is kept.",
        read.seconds,
    ),
    Option(
        "hunyuan_max_body",
        "64m",
        "Size of an unpacked request body beyond which the request is refused (413).",
        read.size,
    ),
    Option(
        "hunyuan_max_messages",
        "",
        "Messages in one request beyond which the oldest turns are folded into one. Default: the profile's.",
        read.optional(read.count(4)),
    ),
    Option(
        "hunyuan_outgoing_proxy",
        "",
        "HTTP proxy for the addon's own calls (vision). Default: mitmproxy's upstream proxy, if it has one.",
        read.optional(read.proxy),
    ),
    Option(
        "hunyuan_keep_params",
        "",
        "Parameters that are left alone, comma separated.",
        read.names,
    ),
    Option(
        "hunyuan_language",
        "zh",
        "Language of the texts that are put into a conversation: zh or en.",
        read.choice(*LANGUAGES),
    ),
    Option(
        "hunyuan_successors",
        "",
        "Model ids to map when re-routed, before those that are built in: old=new, comma separated.",
        read.pairs,
    ),
    Option(
        "hunyuan_overlong",
        "warn",
        "Input estimated past the model's limit, which the endpoint would cut without a word: warn (log and "
        "response header) or error (400).",
        read.choice("warn", "error"),
    ),
    Option(
        "hunyuan_intercept_all",
        False,
        "For debugging: decrypt connections to every host, and log all of them.",
    ),
    Option(
        "hunyuan_allow_open",
        False,
        "Allow a listen address beyond this machine without client tokens or proxyauth. The key is then lent to "
        "nobody.",
    ),
    Option(
        "hunyuan_mode",
        "repair",
        "What is done to bodies: repair, observe (they pass as they come, and the log says what would have been "
        "changed) or off. For one request: header x-hunyuan-mode, which goes no further.",
        read.choice(*MODES),
    ),
    Option(
        "hunyuan_keep_original",
        "1m",
        "Size up to which a rewritten request is kept as it came, for the views and in saved flows; 0: never.",
        read.bound,
    ),
    Option(
        "hunyuan_keep_streams",
        "1m",
        "Bytes of a streamed answer that are kept for the views and in saved flows; 0: none.",
        read.bound,
    ),
    Option(
        "hunyuan_redact",
        True,
        "Replace keys, cookies and passwords in a flow once the exchange is over. A replay then has no key.",
    ),
    Option(
        "hunyuan_store",
        "sqlite",
        "Where image descriptions are kept below the memory: memory (nowhere), sqlite (the user's data folder), "
        "sqlite:PATH, redis://HOST:PORT/DB (also for the limits of several workers); sqlite and redis together, comma "
        "separated.",
        read.store,
    ),
    Option(
        "hunyuan_store_max_bytes", "256m", "Size of the SQLite store; the least recently used goes first.", read.size
    ),
    Option(
        "hunyuan_concurrency",
        "",
        "Calls under way at once for one account; more wait in a queue. 0: any number. Default: the profile's.",
        read.optional(read.count(0)),
    ),
    Option(
        "hunyuan_concurrency_scope",
        "key",
        "What counts as one account: key (each API key) or profile (all keys together).",
        read.choice("key", "profile"),
    ),
    Option("hunyuan_queue_max", "100", "Requests that may wait for one account; one more gets a 429.", read.count(0)),
    Option(
        "hunyuan_queue_timeout",
        "60",
        "Seconds that a request may wait in the queue before it gets a 429.",
        read.seconds,
    ),
    Option(
        "hunyuan_retry",
        "vision",
        "What is tried again after a failure that may pass: off, vision (the addon's own calls), all (chat and "
        "embeddings calls too, through a relay inside the process).",
        read.choice("off", "vision", "all"),
    ),
    Option("hunyuan_retry_tries", "5", "Tries for one call of a client's under hunyuan_retry=all.", read.count(1)),
    Option(
        "hunyuan_retry_deadline",
        "100",
        "Seconds after which no further try is begun under hunyuan_retry=all.",
        read.seconds,
    ),
    Option(
        "hunyuan_upstream_timeout",
        "300",
        "Seconds of silence from the endpoint after which a call counts as failed under hunyuan_retry=all.",
        read.seconds,
    ),
    Option(
        "hunyuan_breaker_failures",
        "5",
        'Failures in a row of the kind that says "down" after which an endpoint is spared; 0: never.',
        read.count(0),
    ),
    Option("hunyuan_breaker_seconds", "30", "Seconds for which it is spared before one call probes it.", read.seconds),
    Option(
        "hunyuan_api_key_file",
        "",
        "File with the key to lend, in place of HUNYUAN_API_KEY; readable by its owner only.",
        read.optional(read.path),
    ),
    Option(
        "hunyuan_client_tokens_file",
        "",
        "File with the hashed tokens of clients that may use the lent key (scripts/token writes it).",
        read.optional(read.path),
    ),
    Option(
        "hunyuan_requests_per_minute",
        "0",
        "Requests a minute for each client token whose entry names no limit; 0: any number.",
        read.count(0),
    ),
    Option(
        "hunyuan_tokens_per_minute",
        "0",
        "Tokens a minute for each client token whose entry names no limit; 0: any number.",
        read.count(0),
    ),
    Option(
        "hunyuan_allowed_origins",
        "",
        "Web pages whose requests may use the lent key: origins such as http://localhost:3000, comma separated.",
        read.origins,
    ),
    Option(
        "hunyuan_drain_timeout",
        "30",
        "Seconds that exchanges under way may take to end after SIGTERM.",
        read.seconds,
    ),
    Option(
        "hunyuan_fast_dispatch",
        True,
        "Replace mitmproxy's event dispatch and some checks by faster ones that do the same, if its version is known.",
    ),
    Option(
        "hunyuan_config",
        "",
        "YAML file with these options, watched while the proxy runs; --set wins over it.",
        read.optional(read.path),
    ),
)
"""The table. Keys must never be options: mitmweb shows all options to its users."""
