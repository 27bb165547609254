"""Host and path -> profile, dialect and where the request goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from . import dialects, profiles, vendors
from .config import values as read
from .config.option import OptionError, option
from .config.values import BaseUrl
from .profiles import Profile
from .texts.terminal import say
from .vendors import HOME, Vendors, other_vendor
from .wire import paths
from .wire.host_names import canonical, host_in, one_name

type Translate = Literal["auto", "always", "never"]
_TRANSLATE: tuple[Translate, ...] = ("auto", "always", "never")
_KEPT_ROUTES = 256
"""Routes kept in the cache: clients use the same few paths again and again."""
_CHAT = "chat"
EMBEDDINGS = "embeddings"
_UNKNOWN = "openai"
"""The profile of an endpoint of which nothing is known but that it speaks Chat Completions."""
_HOUSES = {"openai": _CHAT}
"""`Profile.dialect` -> the name of the format as a client's dialect, where it is another."""
_USUAL_BASE = "/v1"
"""The path of a chat API's base URL, where nothing else is known."""
_VERSION = re.compile(r"v\d+")
_PARTS = frozenset(api.base_part for api in dialects.APIS.values() if api.base_part)
"""Parts of base URLs that only other formats' APIs have."""
_BASE = re.compile(rf"\A(?:/(?:v1|{'|'.join(sorted(_PARTS))}))+(?=/|\Z)")


SUCCESSOR = "successor"
"""The value of `hunyuan_upstream` under which only what has been shut down moves. The default of `hunyuan-fix run`."""


@dataclass(frozen=True, slots=True)
class Successor(BaseUrl):
    """What `SUCCESSOR` stands for: the base URL of the platform that has replaced the one which was shut down.

    Hosts that answer keep their requests. A host of another vendor that `hunyuan_hosts` names has no other place for
    its own to go: they go there too.
    """


def successor() -> Successor:
    """What `SUCCESSOR` stands for."""
    url = read.base_url(next(gone.moved_to for gone in map(profiles.load, profiles.names()) if gone.moved_to))
    return Successor(url.scheme, url.host, url.port, url.path)


@read.accepting("a base URL such as `https://tokenhub.tencentmaas.com/v1`, or `successor`")
def _upstream(text: str) -> BaseUrl:
    if text == SUCCESSOR:
        return successor()
    url = read.base_url(text)
    if paths.read(url.path, dialects.paths())[1] not in (None, paths.MODELS):
        raise ValueError(
            say("accepted is a base URL such as https://tokenhub.tencentmaas.com/v1, without the path of one API")
        )
    return url


@read.accepting("a base URL such as `https://api.moonshot.cn/v1`")
def endpoint_url(text: str) -> BaseUrl:
    """The base URL of an endpoint for calls of one kind."""
    url = read.base_url(text)
    if paths.read(url.path, dialects.paths())[1] is not None:
        raise ValueError(say("accepted is a base URL such as https://api.moonshot.cn/v1, without the path of one API"))
    return url


class Endpoint(NamedTuple):
    """An endpoint that the user has named for calls of one kind."""

    profile: str
    """The name of its profile."""
    base: BaseUrl
    """That of its calls in the house language."""


@dataclass(frozen=True)
class RouteSettings:
    """The hosts that are known, and where their requests go."""

    hosts: Mapping[str, str | None] = option(
        "",
        "Further hosts whose requests are repaired: host or host=profile, comma separated. Needed in reverse "
        "mode in front of something local, e.g. 127.0.0.1=hunyuan.",
        read.hosts,
    )
    """Host -> profile name; `None` if only the host was given."""
    profile: str | None = option(
        "",
        "One profile for all hosts of its vendor: tokenhub, hunyuan (the old platform) or another. Default: the "
        "profile of the host that is called.",
        read.optional(read.profile),
    )
    upstream: BaseUrl | None = option(
        "",
        "Base URL to which requests for Tencent's hosts, hosts of the same vendor and hunyuan_hosts are sent "
        "instead, e.g. https://tokenhub.tencentmaas.com/v1. The profile is then that of this URL; retired model "
        "ids are mapped. successor: only requests for the platform that was shut down, to TokenHub.",
        read.optional(_upstream),
    )
    translate: Translate = option(
        "auto",
        "Requests in another format than Chat Completions (Anthropic Messages, OpenAI Responses): auto "
        "translates them where the endpoint doesn't speak the format, always everywhere, never nowhere (they "
        "pass untouched).",
        read.choice(*_TRANSLATE),
    )
    embeddings_upstream: BaseUrl | None = option(
        "",
        "Base URL to which embeddings requests for any known host are sent, with that provider's key "
        "(hunyuan_keys_file) and never the client's, e.g. https://api.siliconflow.cn/v1.",
        read.optional(endpoint_url),
    )
    embeddings_model: str | None = option(
        "",
        "Model that embeddings requests are given at hunyuan_embeddings_upstream. Default: the client's.",
        read.optional(read.name),
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
    lends: bool = False
    """The lent key is for its endpoint's vendor."""
    elsewhere: bool = False
    """It is an embeddings request, and leaves for `hunyuan_embeddings_upstream` with that endpoint's key."""
    respelt: bool = False
    """The client spelt the path in another way than the endpoint knows it."""

    @property
    def list_path(self) -> str:
        """The path of the list of models at the address, without a query."""
        return self.address.path.partition("?")[0].removesuffix(self.of_model)


class Routes:
    """The known hosts and where their requests go, for one set of options."""

    def __init__(self, settings: RouteSettings) -> None:
        self._named = settings.hosts
        self._profile = settings.profile
        self._upstream = settings.upstream
        self._translate = settings.translate
        self._embeddings = settings.embeddings_upstream
        self._vendors = Vendors(settings.hosts, settings.profile)
        self.vendor = self._vendors.of(canonical(self._upstream.host), self._upstream.path) if self._upstream else HOME
        """The vendor whose key is lent."""
        self.hosts: frozenset[str] = frozenset([*profiles.by_host(), *self._named])
        """Every host whose connections are decrypted."""
        self.route = lru_cache(_KEPT_ROUTES)(self._route)
        self.of_port = lru_cache(_KEPT_ROUTES)(self._of_port)

    def known(self, host: str | None) -> bool:
        """Whether requests to `host` are this addon's business."""
        return host is not None and canonical(host) in self.hosts

    def trusts(self, host: str | None) -> bool:
        """Whether `host` is a known host or the host of `hunyuan_upstream`: requests to known hosts go there."""
        return self.known(host) or (host is not None and self._upstream is not None and host == self._upstream.host)

    def _of_port(self, method: str, address: Address, sent: tuple[str, ...], named: str | None = None) -> Route | None:
        """The route of a request to a reverse port that stands for `address`; `None` where the addon leaves it alone.

        Its key is for wherever the port's requests go, unless that is another place than a host that is named: by
        `hunyuan_hosts`, as what the port stands for; or by the client's `Host` and `:authority`, which are `sent`, as
        where a file of hosts leads a vendor's name here.
        """
        owners = tuple(sorted({host for host in map(host_in, sent) if vendors.is_a_vendors(host)}))
        host = canonical(address.host)
        key_of = (*owners, host) if host in self._named else owners
        return self.route(method, address, key_of=key_of, named=named)

    def _route(
        self,
        method: str,
        address: Address,
        sni: str | None = None,
        sent: tuple[str, ...] = (),
        key_of: tuple[str, ...] | None = None,
        *,
        named: str | None = None,
    ) -> Route | None:
        """The route of a request to `address`; `None` for a request that the addon leaves alone.

        It leaves a request alone if the host is unknown, if the path is below none of the paths that the host's
        profiles name, or if the client has named two hosts: one of them would get the key that is meant for the other.
        `sni` is the name in the client's TLS handshake, `sent` its `Host` and `:authority`. `key_of`: the hosts that
        its own key is for; empty: for wherever it goes; `None`: the host itself. `named`: the dialect that its headers
        name, where its path doesn't (`dialects.of_headers`).
        """
        host = one_name(address.host, sni, sent)
        if host is None or host not in self.hosts:
            return None
        sent_path, question, query = address.path.partition("?")
        path, of_model = paths.of_model(sent_path) if method == "GET" else (sent_path, "")
        addressed = self._addressed(host, path)
        if addressed is None:
            return None

        # 1. What it is.
        below, api = paths.read(path, dialects.paths())
        spoken = named or (dialects.of_call(method, api) if api else None) or ""
        api = paths.filled(api, path) if api else None
        base = BaseUrl("http" if address.scheme == "http" else "https", host, address.port, below)
        if (
            self._embeddings is not None
            and spoken == EMBEDDINGS
            and self._origin(self._embeddings) != self._origin(base)
        ):
            return self._elsewhere(self._embeddings, api or "")

        # 2. Where it goes, and what is demanded there.
        upstream = self._upstream
        rerouted = upstream is not None and self._moves(host, path) and self._origin(upstream) != self._origin(base)
        profile = self._judged_by(addressed)
        if upstream is not None and rerouted:
            base = upstream
            there = self._addressed(canonical(base.host), base.path + (api or _below_base(path)))
            # Of an unknown host its path may tell that it speaks another format alone.
            profile = self._judged_by(there) if there else self._profile or _other_api(base.path) or addressed
        demands = profiles.load(profile)
        vendor = self.vendor if rerouted else self._vendors.of(host, paths.normal(path))

        # 3. Its path there, and that of calls in the house language. The path of a translated request is replaced when
        # its body is written.
        translates = frozenset(name for name in dialects.foreign() if is_translated(name, demands, self._translate))
        other = spoken if spoken in dialects.foreign() else _other_api(below) if api else ""
        has_other = other in translates or dialects.of_format(other) in demands.speaks
        is_native = other == spoken and has_other and other not in translates
        house_path = own_path = base.path
        if rerouted or has_other or demands.dialect not in _HOUSES:
            house_path = own_path = self._base_path(base, demands, rerouted=rerouted)
        if is_native:
            own_path = self._base_path(base, demands, dialects.of_format(other), rerouted=rerouted)
        if named:  # all requests of such an API have the path of its base URL
            own_path = base.path
        to = own_path + (api or _below_base(path)) + of_model if api or rerouted else path
        is_written_anew = spoken in translates or demands.dialect not in _HOUSES
        meant = (below if rerouted or is_written_anew else own_path) + (api or "") + of_model
        dialect = spoken if spoken and (spoken in translates or spoken not in dialects.foreign()) else None
        if is_native and self._translate == "auto" and spoken in demands.native:
            dialect = dialects.native(spoken)
        owners = {host} if key_of is None else set(key_of)
        if not rerouted:
            owners.discard(host)
        return Route(
            profile=profile,
            dialect=dialect,
            spoken=spoken,
            lists_models=api == paths.MODELS and method == "GET",
            of_model=of_model,
            base_url=str(replace(base, path=house_path)),
            address=Address(base.scheme, base.host, base.port, to + question + query),
            respelt=api is not None and meant != sent_path,
            rerouted=rerouted,
            # What names models of an API that was shut down means them also where it is addressed to the successor.
            successors=(rerouted and profile != addressed) or (named is not None and not demands.shut_down),
            unrepaired=method == "POST" and dialect is None,
            native=is_native,
            translates=translates,
            repairs=translates if self._translate != "auto" else translates | (demands.speaks & demands.native.keys()),
            foreign=not all(self._vendors.may_keep_key(owner, paths.normal(path), vendor) for owner in owners),
            lends=vendor == self.vendor,
        )

    def _elsewhere(self, upstream: BaseUrl, api: str) -> Route:
        """The route of an embeddings request to `upstream`, without its query, which is for another endpoint."""
        profile, base = self.endpoint(upstream)
        return Route(
            profile=profile,
            dialect=EMBEDDINGS,
            spoken=EMBEDDINGS,
            base_url=str(base),
            address=Address(base.scheme, base.host, base.port, base.path + api),
            rerouted=True,
            successors=False,
            unrepaired=False,
            foreign=True,
            elsewhere=True,
        )

    def endpoint(self, named: BaseUrl) -> Endpoint:
        """The endpoint at `named`, a base URL of the user's, for calls in the house language.

        Its profile is that of its host and path, else one that `hunyuan_hosts` names, else that of the format which its
        path names, else `openai`. A host alone stands for its usual base URL.
        """
        host = canonical(named.host)
        products = {name for _, name in profiles.by_host().get(host, ())}
        there = self._addressed(host, named.path + paths.CHAT)
        if there is None and not named.path and len(products) == 1:
            there = next(iter(products))
        profile = self._judged_by(there) if there else _other_api(named.path) or _UNKNOWN
        demands = profiles.load(profile)
        path = self._base_path(named, demands, rerouted=True) if named.path else demands.base or _USUAL_BASE
        return Endpoint(profile, replace(named, path=path))

    def _base_path(self, base: BaseUrl, profile: Profile, native: str = "", *, rerouted: bool) -> str:
        """The path of the base URL for requests in the house language at the endpoint of `base`; or in `native`.

        `base`: the base URL of the client's own request, or of `hunyuan_upstream`. A format's base URL may have a part
        of its own, `/anthropic` beside `/v1` and `/plan/anthropic` beside `/plan/v3`, and clients put one into the base
        URL of an endpoint that has none. A profile may know its own (`base`, `bases`). Elsewhere what else is in the
        path stays: `/gateway/anthropic` becomes `/gateway/v1`.
        """
        format_ = native or _HOUSES.get(profile.dialect, profile.dialect)
        host = canonical(base.host)
        stands_in = host in self._named or host not in profiles.by_host()
        parts = [part for part in paths.normal(base.path).split("/") if part]
        has_own_part = not _PARTS.isdisjoint(parts)
        # 1. What the profile knows, where nothing else is in the path.
        words = _words(profile)
        if profile.base is not None and all(part in words or _VERSION.fullmatch(part) for part in parts):
            if native or format_ != _CHAT:
                certain = format_ in profile.bases or not stands_in
            elif rerouted:  # what the user has given counts, where it is a whole base URL
                certain = has_own_part or (not any(map(_VERSION.fullmatch, parts)) and bool(parts or not stands_in))
            else:
                certain = has_own_part or not stands_in
            if certain:
                return profile.bases.get(format_, profile.base)
        # 2. The format that the path is for by its parts, or that it has no part for.
        if native or format_ != _CHAT:
            # Clients of another format write the version themselves; a chat client's base URL may lack it.
            has_none = profile.bases.get(format_) == ""  # the format's paths begin at the root, or below a gateway's
            is_whole = (native and not rerouted) or has_none or bool(parts and _VERSION.fullmatch(parts[-1]))
            return base.path if is_whole else base.path + _USUAL_BASE
        if rerouted and not has_own_part:
            return base.path
        kept = [part for part in base.path.split("/") if part and part not in _PARTS]
        chat, _ = paths.read("/".join(kept) + paths.MODELS, ())
        if self._addressed(host, chat) != self._addressed(host, base.path):
            return base.path  # without that part it would lead to another product of the host
        return chat if chat or not base.path else _USUAL_BASE

    def _addressed(self, host: str, path: str) -> str | None:
        """The profile of requests to `path` at `host`, whatever `hunyuan_profile` says; `None`: they are left alone.

        A host of `hunyuan_hosts` with a profile has that for all its paths.
        """
        if named := self._named.get(host):
            return named
        if found := profiles.at(host, paths.normal(path)):
            return found
        if host in profiles.by_host():
            return self._profile if self._profile and self._stands_for(self._profile, host, path) else None
        return (self._profile or "hunyuan") if host in self._named else None

    def _judged_by(self, name: str) -> str:
        """The profile that requests for the profile `name` are held against: `hunyuan_profile`, if it may be.

        It is for endpoints of its own vendor: what Tencent's demand is an error at another vendor's. A plan's terms
        stay those of a plan.
        """
        if self._profile is None or profiles.load(self._profile).vendor != profiles.load(name).vendor:
            return name
        return name if profiles.load(name).plan else self._profile

    def _stands_for(self, profile: str, host: str, path: str) -> bool:
        return profiles.load(profile).vendor == self._vendors.of(host, paths.normal(path))

    def _moves(self, host: str, path: str) -> bool:
        """Whether requests to `host` go to `hunyuan_upstream`: those of other vendors' clients stay where they are."""
        if isinstance(self._upstream, Successor):
            return profiles.shut_down(host) is not None or (host in self._named and other_vendor(host) is not None)
        return host in self._named or self._vendors.of(host, paths.normal(path)) in (HOME, self.vendor)

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


def _words(profile: Profile) -> frozenset[str]:
    """The parts of the paths of base URLs that `profile` knows, for any format."""
    return _PARTS.union(*(path.split("/") for path in (profile.base or "", *profile.bases.values())))


def _other_api(below: str) -> str:
    """The name of the dialect whose API is the only one to have `below` as the path of its base URL; `""` for none."""
    parts = below.split("/")
    return next((api.dialect for api in dialects.APIS.values() if api.base_part in parts and api.base_part), "")


def _below_base(path: str) -> str:
    """`path` without what a base URL ends with: `/v1/files` and `/anthropic/v1/files` -> `/files`."""
    return _BASE.sub("", path)


def check(settings: RouteSettings) -> None:
    """Refuse options under which a key would go to the wrong vendor, or a request to what can't answer it.

    Raises `OptionError`.

    A host of another vendor stands for the endpoint of `hunyuan_upstream` only: without it, or with an upstream of that
    name, the lent key would go to that vendor.
    """
    if (url := settings.embeddings_upstream) is not None:
        profile = profiles.load(Routes(settings).endpoint(url).profile)
        if profile.dialect not in _HOUSES:
            refused = say("this endpoint speaks another format than OpenAI's, which has no embeddings")
            raise OptionError(f"hunyuan_embeddings_upstream={url}: {refused}")
    for host in settings.hosts:
        if host in profiles.by_host() or not other_vendor(host):
            continue
        if settings.upstream is None:
            refused = say(
                "is another vendor's host. It can be named only together with hunyuan_upstream, which its requests are "
                "sent to instead (hunyuan_upstream=https://tokenhub.tencentmaas.com/v1)"
            )
            raise OptionError(f"hunyuan_hosts={host}: {refused}")
        if canonical(settings.upstream.host) == host:
            refused = say("must be another host than those of hunyuan_hosts")
            raise OptionError(f"hunyuan_upstream={settings.upstream}: {refused}")


def api_path(target: str, base_url: str, api: str) -> str:
    """The request target for `api` below `base_url`, with the query of `target`."""
    below = "/" + base_url.partition("://")[2].partition("/")[2]
    return below.rstrip("/") + api + "".join(target.partition("?")[1:])
