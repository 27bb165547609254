"""Host and path -> profile, dialect and where the request goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from . import dialects, profiles
from .config import values as read
from .config.option import OptionError, option
from .config.values import BaseUrl
from .profiles import Profile
from .wire import paths
from .wire.host_names import canonical, is_loopback, one_name

type Translate = Literal["auto", "always", "never"]
_TRANSLATE: tuple[Translate, ...] = ("auto", "always", "never")
_KEPT_ROUTES = 256
"""Routes kept in the cache: clients use the same few paths again and again."""
_USUAL_BASE = "/v1"
"""The path of a chat API's base URL, where nothing else is known."""
_VERSION_OR_NOTHING = re.compile(r"(/v\d+)?")
_PARTS = frozenset(api.base_part for api in dialects.APIS.values() if api.base_part)
"""Parts of base URLs that only other formats' APIs have."""
_BASE = re.compile(rf"\A(?:/(?:v1|{'|'.join(sorted(_PARTS))}))+(?=/|\Z)")


def _upstream(text: str) -> BaseUrl:
    url = read.base_url(text)
    if paths.read(url.path, dialects.paths())[1] not in (None, paths.MODELS):
        raise ValueError(f"accepted is {read.BASE_URL}, without the path of one API")
    return url


@dataclass(frozen=True)
class RouteSettings:
    """The hosts that are known, and where their requests go."""

    hosts: Mapping[str, str | None] = option(
        "",
        "More hosts to repair requests for: host or host=profile, comma separated. Needed in reverse mode in "
        "front of something local, e.g. 127.0.0.1=hunyuan.",
        read.hosts,
    )
    """Host -> profile name; `None` if only the host was given."""
    profile: str | None = option(
        "",
        "One profile for all hosts: hunyuan (the strict legacy endpoint) or tokenhub (its successor). Default: "
        "the profile of the host that is called.",
        read.optional(read.profile),
    )
    upstream: BaseUrl | None = option(
        "",
        "Send what clients address to a known host to this base URL instead, e.g. "
        "https://tokenhub.tencentmaas.com/v1, under that host's profile; retired model ids are mapped.",
        read.optional(_upstream),
    )
    translate: Translate = option(
        "auto",
        "What is done to requests in another format than Chat Completions (Anthropic Messages, OpenAI Responses): auto "
        "translates them where the endpoint doesn't speak it itself, always everywhere, never nowhere: they pass "
        "untouched.",
        read.choice(*_TRANSLATE),
    )


class Address(NamedTuple):
    """Where a request is going: its URL in parts; `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request to a known host goes, and how it is handled."""

    profile: str
    """The name of the profile that its body must satisfy."""
    dialect: str | None
    """What the client speaks. `None`: the body is not touched."""
    base_url: str
    """The base URL of the addon's own calls for this request (vision, embedding batches)."""
    address: Address
    """The address to send it to. Its host is the one name under which the endpoint is known."""
    rerouted: bool
    """It leaves for another base URL than the client addressed."""
    successors: bool
    """It leaves for another profile than the client addressed: model ids that are retired there are mapped."""
    unrepaired: bool
    """A call of an API that isn't repaired, or an unknown path: worth a line in the log."""
    lists_models: bool = False
    """It asks for the list of models, or for one of them."""
    of_model: str = ""
    """What its path has after that of the list: `/` and the model's id, as it was sent."""
    spoken: str = ""
    """The dialect that the path is for, also where the bodies pass untouched; `""` for none."""
    native: bool = False
    """The endpoint speaks `spoken` itself, and it is not translated."""
    translates: frozenset[str] = frozenset()
    """The dialects that are translated for the endpoint."""
    repairs: frozenset[str] = frozenset()
    """The dialects whose calls are translated or repaired for the endpoint: it has no other API of theirs."""
    foreign: bool = False
    """It was addressed to a host of another vendor, and leaves for another: its key must not leave with it."""
    respelt: bool = False
    """The client spelt the path in another way than the endpoint knows it."""

    @property
    def list_path(self) -> str:
        """The path of the list of models at the address, without a query."""
        return self.address.path.partition("?")[0].removesuffix(self.of_model)


class Routes:
    """The known hosts and where their requests go, for one set of options."""

    def __init__(self, settings: RouteSettings) -> None:
        self._given = {host: name or settings.profile or "hunyuan" for host, name in settings.hosts.items()}
        self._profile = settings.profile
        self._upstream = settings.upstream
        self._translate = settings.translate
        self.hosts: frozenset[str] = frozenset([*profiles.by_host(), *self._given])
        """Every host whose connections are decrypted."""
        self.route = lru_cache(_KEPT_ROUTES)(self._route)

    def known(self, host: str | None) -> bool:
        """Whether requests to `host` are this addon's business."""
        return host is not None and canonical(host) in self.hosts

    def trusts(self, host: str | None) -> bool:
        """Whether `host` is a known host or the host of `hunyuan_upstream`: requests to known hosts go there."""
        return self.known(host) or (host is not None and self._upstream is not None and host == self._upstream.host)

    def _route(self, method: str, address: Address, sni: str | None = None, sent: tuple[str, ...] = ()) -> Route | None:
        """The route of a request to `address`; `None` for a request that the addon leaves alone.

        It leaves a request alone if the host is unknown, if the path is below none of the paths that the host's
        profiles name, or if the client has named two hosts: one of them would get the key that is meant for the other.
        `sni` is the name in the client's TLS handshake, `sent` its `Host` and `:authority`.
        """
        host = one_name(address.host, sni, sent)
        if host is None or host not in self.hosts:
            return None
        sent_path, question, query = address.path.partition("?")
        path, of_model = paths.of_model(sent_path) if method == "GET" else (sent_path, "")
        addressed = self._profile_at(host, path)
        if addressed is None:
            return None

        # 1. What it is.
        below, api = paths.read(path, dialects.paths())
        spoken = (dialects.of_call(method, api) if api else None) or ""
        api = paths.filled(api, path) if api else None
        base = BaseUrl("http" if address.scheme == "http" else "https", host, address.port, below)

        # 2. Where it goes, and what is demanded there.
        upstream = self._upstream
        rerouted = upstream is not None and self._origin(upstream) != self._origin(base)
        profile = self._profile or addressed
        if upstream is not None and rerouted:
            base = upstream
            profile = self._profile or self._profile_at(base.host, base.path + (api or _below_base(path))) or addressed
        demands = profiles.load(profile)
        translates = frozenset(name for name in dialects.foreign() if is_translated(name, demands, self._translate))
        other = spoken if spoken in dialects.foreign() else _other_api(below) if api == paths.MODELS else ""
        if not rerouted and (other in translates or dialects.of_format(other) in demands.speaks):
            base = replace(base, path=self._base_path(host, below, demands, translated=other in translates))

        chat_base = base.path

        # 3. Its path there. That of a translated request is replaced when its body is written.
        to = base.path + (api or _below_base(path)) + of_model if api or rerouted else path
        meant = (below if rerouted or spoken in translates else base.path) + (api or "") + of_model
        dialect = spoken if spoken and (spoken in translates or spoken not in dialects.foreign()) else None
        is_native = dialect is None and dialects.of_format(spoken) in demands.speaks
        if is_native and self._translate == "auto" and spoken in demands.native:
            dialect = dialects.native(spoken)
            if not rerouted:
                chat_base = self._base_path(host, below, demands, translated=True)
        return Route(
            profile=profile,
            dialect=dialect,
            spoken=spoken,
            lists_models=api == paths.MODELS and method == "GET",
            of_model=of_model,
            base_url=str(replace(base, path=chat_base)),
            address=Address(base.scheme, base.host, base.port, to + question + query),
            respelt=api is not None and meant != sent_path,
            rerouted=rerouted,
            successors=rerouted and profile != addressed,
            unrepaired=method == "POST" and dialect is None,
            native=is_native,
            translates=translates,
            repairs=translates if self._translate != "auto" else translates | (demands.speaks & demands.native.keys()),
            foreign=rerouted and self._is_foreign(host),
        )

    def _base_path(self, host: str, below: str, profile: Profile, *, translated: bool) -> str:
        """The path of the base URL of `host` for requests of another format, which its client sends below `below`.

        Another format's base URL may have a part of its own beside the chat API's, `/anthropic/v1` beside `/v1`, and
        clients put it into the base URL of an endpoint that has none. What else is in `below` stays: `/plan/anthropic`
        is for other keys than `/v1`.
        """
        parts = [part for part in below.split("/") if part and part not in _PARTS]
        chat, _ = paths.read("/".join(parts) + paths.MODELS, ())
        if profile.base is not None and host not in self._given and _VERSION_OR_NOTHING.fullmatch(chat):
            return profile.base
        if not translated:
            return below
        return chat if chat or not below else _USUAL_BASE

    def _is_foreign(self, host: str) -> bool:
        """Whether `host` is known by `hunyuan_hosts` only, and not this machine: its keys are for it alone."""
        return host in self._given and host not in profiles.by_host() and not is_loopback(host)

    def _profile_at(self, host: str, path: str) -> str | None:
        """The profile of requests to `path` at `host`. A host of `hunyuan_hosts` has one for all its paths."""
        found = self._given.get(host) or profiles.at(host, paths.normal(path))
        return found or (self._profile if host in self.hosts else None)

    @staticmethod
    def _origin(base: BaseUrl) -> tuple[str, str, int]:
        return base.scheme, base.host, base.port


def is_translated(dialect: str, profile: Profile, translate: Translate) -> bool:
    """Whether requests in `dialect`, not the house language, become chat requests for the endpoints of `profile`."""
    if translate != "auto":
        return translate == "always"
    format_ = dialects.of_format(dialect)
    if format_ not in profile.speaks:
        return True
    # What is asked for by id was kept here, where the endpoint keeps nothing.
    native = profile.native.get(format_)
    return format_ != dialect and native is not None and not native.stores


def _other_api(below: str) -> str:
    """The name of the dialect whose API is the only one to have `below` as the path of its base URL; `""` for none."""
    parts = below.split("/")
    return next((api.dialect for api in dialects.APIS.values() if api.base_part in parts and api.base_part), "")


def _below_base(path: str) -> str:
    """`path` without what a base URL ends with: `/v1/files` and `/anthropic/v1/files` -> `/files`."""
    return _BASE.sub("", path)


_VENDORS = (
    "anthropic.com",
    "claude.ai",
    "claude.com",
    "openai.com",
    "chatgpt.com",
    "openai.azure.com",
    "generativelanguage.googleapis.com",
    "x.ai",
    "mistral.ai",
    "deepseek.com",
    "moonshot.cn",
    "moonshot.ai",
    "kimi.com",
    "bigmodel.cn",
    "z.ai",
    "minimaxi.com",
    "minimax.io",
    "dashscope.aliyuncs.com",
    "ark.cn-beijing.volces.com",
    "openrouter.ai",
    "groq.com",
    "together.xyz",
    "fireworks.ai",
    "cohere.com",
    "perplexity.ai",
    "githubcopilot.com",
    "huggingface.co",
    "siliconflow.cn",
)
"""Domains of other vendors, whose hosts hold the keys of their own customers."""


def check(settings: RouteSettings) -> None:
    """Refuse options under which a key would go to the wrong vendor. Raises `OptionError`.

    A host of another vendor stands for the endpoint of `hunyuan_upstream` only: without it, or with an upstream of that
    name, the lent key would go to that vendor.
    """
    for host in settings.hosts:
        if host in profiles.by_host() or not _is_of(host, _VENDORS):
            continue
        if settings.upstream is None:
            raise OptionError(
                f"hunyuan_hosts={host}: is another vendor's host. It can be named only together with hunyuan_upstream, "
                "which its requests are sent to instead (hunyuan_upstream=https://tokenhub.tencentmaas.com/v1)"
            )
        if canonical(settings.upstream.host) == host:
            raise OptionError(f"hunyuan_upstream={settings.upstream}: must be another host than those of hunyuan_hosts")


def _is_of(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def api_path(target: str, base_url: str, api: str) -> str:
    """The request target for `api` below `base_url`, with the query of `target`."""
    below = "/" + base_url.partition("://")[2].partition("/")[2]
    return below.rstrip("/") + api + "".join(target.partition("?")[1:])
