"""Whether a base URL that a client was given can work, and which one was meant. Pure: nothing is asked."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from ... import profiles, vendors
from ...texts.sentence import Sentence
from ...wire import paths
from ...wire.host_names import canonical, is_loopback

type Api = Literal["chat", "responses", "anthropic", "any"]
"""What the client speaks. OpenAI's clients add `/chat/completions` to a base URL, Anthropic's `/v1/messages`. `any`:
its base URLs have a path of their own, which isn't judged."""

_API_PATHS = ("/chat/completions", "/completions", "/embeddings", "/messages", "/responses", "/models")
_VERSION = re.compile(r"/v\d+$")
_FIELD = re.compile(r"[${}<>]")
"""In a URL that the client fills in itself, as `${HOST}` or `{env:URL}`."""
REROUTED = frozenset({"shut-down", "twice", "api-path", "path", "anthropic-v1", "api"})
"""Mistakes that a proxy mends which gets the calls (HTTPS_PROXY) and sends them to another base URL."""
_ALIKE = 0.86
"""From here on a host is taken for a misspelt one (`difflib`): one letter in eight may be wrong."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the proxy listens."""

    proxy: int
    reverse: int

    def base_url(self, api: Api) -> str:
        """The base URL of the reverse port for such a client."""
        return f"http://127.0.0.1:{self.reverse}" + ("" if api == "anthropic" else "/v1")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a base URL can't work. `better` is the one that was meant, `""` where that isn't known."""

    id: str
    found: Sentence
    better: str = ""


@dataclass(frozen=True, slots=True)
class _Host:
    host: str
    found: str
    use: str

    def covers(self, name: str) -> bool:
        return name == self.host or (self.host.startswith("*.") and name.endswith(self.host[1:]))


def mistake(url: str, api: Api, ports: Ports) -> Mistake | None:
    """What is wrong with `url`, the base URL of a client that speaks `api`; `None` if nothing is known to be wrong."""
    text = url.strip()
    if not text or _FIELD.search(text):  # a field that the client fills in itself can't be judged
        return None
    try:
        parts = urlsplit(text)
        host, port = canonical(parts.hostname or ""), parts.port
    except ValueError:
        return Mistake("scheme", Sentence("it isn't a URL that begins with https:// or http://"))
    if parts.scheme not in ("http", "https") or not host:
        return _no_url(text)
    if is_loopback(host):
        return _on_this_machine(parts.scheme, port, api, ports)
    if host not in profiles.by_host():
        return _host(parts, host, api) or _path_of_an_api(parts)
    if gone := profiles.shut_down(host):
        found = Sentence("{host} was shut down on {day}", host=host, day=gone.shut_down)
        return Mistake("shut-down", found, ports.base_url(api))
    if parts.scheme == "http":
        found = Sentence("http:// would send the key unencrypted: the endpoint has https://")
        return Mistake("http", found, f"https://{text.partition('://')[2]}")
    return None if api == "any" else _path_of_an_endpoint(parts, host, api, ports)


def _no_url(text: str) -> Mistake:
    if text[0] in "\"'" or text[-1] in "\"'":
        return Mistake("quotes", Sentence("the quotation marks are part of the value"), text.strip("\"'"))
    if "://" in text:
        return Mistake("scheme", Sentence("it isn't a URL that begins with https:// or http://"))
    scheme = "http" if is_loopback(text.partition("/")[0].partition(":")[0]) else "https"
    return Mistake("scheme", Sentence("{scheme}:// is missing at its beginning", scheme=scheme), f"{scheme}://{text}")


def _on_this_machine(scheme: str, port: int | None, api: Api, ports: Ports) -> Mistake | None:
    """The reverse port takes any path, and speaks plain HTTP."""
    if port == ports.proxy and ports.proxy != ports.reverse:
        found = Sentence("port {port} is for HTTPS_PROXY, not for base URLs", port=port)
        return Mistake("proxy-port", found, ports.base_url(api))
    if port == ports.reverse and scheme == "https":
        return Mistake("https-here", Sentence("the reverse port speaks http://, not https://"), ports.base_url(api))
    return None


def _host(parts: SplitResult, host: str, api: Api) -> Mistake | None:
    """A host that is known to be no API, or is like an endpoint's."""
    for known in _hosts():
        if known.covers(host):
            return Mistake("host", Sentence(known.found, host=host), _for_api(known.use, api))
    if near := _misspelt(host):
        found = Sentence("there is no endpoint on {host}; {near} is meant?", host=host, near=near)
        return Mistake("host", found, f"https://{near}{parts.path}")
    return None


def _path_of_an_endpoint(parts: SplitResult, host: str, api: Api, ports: Ports) -> Mistake | None:
    given = paths.normal(parts.path)
    served = dict(_paths(host, api))
    if given in served:
        profile = profiles.load(served[given])
        if api in ("anthropic", "responses") and api not in profile.speaks:
            found = Sentence(
                "{name} has no such API ({api}); hunyuan-fix translates it", name=title(profile.name) or host, api=api
            )
            return Mistake("api", found, ports.base_url(api))
        return None
    if wrong := _path_of_an_api(parts):
        given = paths.normal(urlsplit(wrong.better).path)
    better = f"https://{host}{_nearest(given, served, api)}"
    if wrong:
        return Mistake(wrong.id, wrong.found, better)
    if (version := _VERSION.search(given)) and given.removesuffix(version[0]).endswith(version[0]):
        return Mistake("twice", Sentence("{version} stands in it twice", version=version[0]), better)
    if vendors.Vendors().of(host) != vendors.HOME:
        return None  # how many ways of writing it another vendor takes isn't known
    if api == "anthropic" and given.removesuffix("/v1") in served:
        found = Sentence("Anthropic's clients add /v1/messages themselves: leave /v1 out")
        return Mistake("anthropic-v1", found, better)
    near = urlsplit(better).path or "/"
    return Mistake("path", Sentence("the path of a base URL on {host} is {path}", host=host, path=near), better)


def _nearest(given: str, served: Mapping[str, str], api: Api) -> str:
    """The path among `served` that was meant by `given`: one that it is the beginning of, else the most alike."""
    if api == "anthropic" and given.removesuffix("/v1") in served:
        return given.removesuffix("/v1")
    if begun := [path for path in served if path.startswith(given)]:
        return min(begun, key=len)
    return max(served, key=lambda path: difflib.SequenceMatcher(None, path, given).ratio())


def _path_of_an_api(parts: SplitResult) -> Mistake | None:
    path = parts.path.rstrip("/")
    end = next((end for end in _API_PATHS if path.lower().endswith(end)), None)
    if end is None:
        return None
    better = parts._replace(path=path[: -len(end)], query="", fragment="").geturl()
    return Mistake("api-path", Sentence("clients add {end} themselves: leave it out", end=end), better)


def _paths(host: str, api: Api) -> Iterator[tuple[str, str]]:
    """The path of each base URL on `host` for clients of `api`, and the name of its profile."""
    for _, name in profiles.by_host()[host]:
        profile = profiles.load(name)
        if api == "anthropic":
            yield _VERSION.sub("", profile.bases.get(api) or profile.base or ""), name
        else:
            yield profile.base or "", name


def _for_api(url: str, api: Api) -> str:
    return url.removesuffix("/v1") if api == "anthropic" else url


def _misspelt(host: str) -> str | None:
    if vendors.is_a_vendors(host):
        return None
    return next(iter(difflib.get_close_matches(host, list(profiles.by_host()), n=1, cutoff=_ALIKE)), None)


def parted(url: str) -> SplitResult:
    """The parts of `url`, which a user has written; all are empty if it is no URL."""
    try:
        return urlsplit(url.strip())
    except ValueError:
        return urlsplit("")


_LONGEST_WORD = 16
"""Characters of a name without a domain that are shown."""


def shown(url: str) -> str:
    """`url` as it may be shown: without user, password and query."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return "…"
    if not parts.scheme or not parts.netloc:
        address = url.strip().rpartition("@")[2].partition("?")[0]
        return "…" if len(address) > _LONGEST_WORD and not set(address) & set(".:/") else address  # it may be a key
    port = parts.netloc.rpartition(":")[2]
    netloc = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{netloc}{f':{port}' if port.isdigit() else ''}{parts.path}"


def title(profile: str, host: str = "") -> str | None:
    """What users call the endpoint of `profile`: the name of its product. `None` for one without a name of its own."""
    if profile == "tokenhub" and host.startswith("tokenhub-intl."):
        return Sentence("TokenHub (international)")
    said = _data()["titles"].get(profile)
    name: str | None = _data()["names"].get(profile)
    return Sentence(said) if said else name


def data_sentences() -> Iterator[str]:
    """Every sentence that stands in the data."""
    yield from (host.found for host in _hosts())
    yield from _data()["titles"].values()


@cache
def _hosts() -> tuple[_Host, ...]:
    return tuple(_Host(**table) for table in _data()["host"])


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("base_urls.toml").read_text("utf-8"))
