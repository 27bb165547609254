"""The option `hunyuan_fallbacks`: chains of a model and of what answers in its place.

    hy3>hy3-preview>moonshot:kimi-k2.6, glm-*>http://10.0.0.5:8000/v1:qwen3

Left of the first `>` is the model that requests leave for, right of it in their order the entries of the chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from .. import profiles
from ..config import values as read
from ..config.option import without_password
from ..config.values import BaseUrl
from ..did_you_mean import suggestion
from ..profiles import Profile
from ..texts.terminal import say

MOST_ENTRIES = 8
"""Of one chain: each may cost a client its time."""
MOST_CHAINS = 200
_LONGEST = 200
"""Characters of a model's id."""

_MODEL = re.compile(rf"[\x21-\x3d\x3f-\x7e]{{1,{_LONGEST}}}")
_URL = re.compile(
    r"(?:(?P<profile>[\w.-]+)@)?(?P<url>https?://(?:\[[0-9A-Fa-f:.]+\]|[^/:\s\[\]]+)(?::\d{1,5}(?=[:/]))?(?:/[^:\s]*)?)"
    r":(?P<model>.+)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d{1,5}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One that may answer in the place of the first."""

    model: str
    provider: str = ""
    """As it was written: a profile's name, a vendor's, the server of a base URL; `""`: the request's own endpoint."""
    base: BaseUrl | None = None
    """Where it is; `None`: at a host of `profile`, or the request's own endpoint where that is `""`."""
    profile: str = ""
    """The name of its profile; `""`: what its base URL says, or the request's own."""

    @property
    def name(self) -> str:
        """As headers and the log show it."""
        return f"{self.model}@{self.provider}" if self.provider else self.model


@dataclass(frozen=True, slots=True)
class Chain:
    """A model, and its entries in their order."""

    model: str
    """A pattern: `*` stands for any text, `?` for any character."""
    entries: tuple[Entry, ...]

    @property
    def is_exact(self) -> bool:
        """It is for one model alone."""
        return not set("*?") & set(self.model)


@dataclass(frozen=True, slots=True)
class Chains:
    """All of them. False where there are none."""

    exact: dict[str, Chain]
    patterns: tuple[Chain, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.exact or self.patterns)

    def __iter__(self) -> Iterator[Chain]:
        """Each chain."""
        yield from self.exact.values()
        yield from self.patterns

    def of(self, model: str) -> Chain | None:
        """The chain of requests that leave for `model`: one that names it, else the first whose pattern fits."""
        found = self.exact.get(model)
        if found is None and len(model) <= _LONGEST:
            found = next((chain for chain in self.patterns if _fits(model, chain.model)), None)
        return found


@read.accepting("chains such as `hy3>hy3-preview>moonshot:kimi-k2.6`, comma separated")
def chains(text: str) -> Chains:
    """The chains in `text`. Raises `ValueError`."""
    found = [_chain(one) for one in re.split(r"[,\s]+", re.sub(r"\s*>\s*", ">", text.strip())) if one]
    if len(found) > MOST_CHAINS:
        raise ValueError(say("accepted are at most {count} chains", count=MOST_CHAINS))
    for place, chain in enumerate(found):
        if any(chain.model == other.model for other in found[:place]):
            raise ValueError(say("{model} has two chains: write one", model=chain.model))
    return Chains(
        {chain.model: chain for chain in found if chain.is_exact},
        tuple(chain for chain in found if not chain.is_exact),
        text,
    )


def _chain(text: str) -> Chain:
    first, *others = text.split(">")
    if not others or not all((first, *others)):
        raise ValueError(
            say(
                "accepted is MODEL>ENTRY, or more entries, such as hy3>hy3-preview>moonshot:kimi-k2.6; {text!r} is not",
                text=without_password(text),
            )
        )
    if len(others) > MOST_ENTRIES:
        raise ValueError(say("a chain has at most {count} entries", count=MOST_ENTRIES))
    if not _MODEL.fullmatch(first):
        raise ValueError(say("{text!r} is no model id", text=without_password(first)))
    if "://" in first or (":" in first and first.partition(":")[0] in _providers()):
        raise ValueError(
            say(
                "{text!r} begins a chain: there stands a model alone, whatever endpoint its requests go to",
                text=without_password(first),
            )
        )
    entries = tuple(map(_entry, others))
    for place, entry in enumerate(entries):
        if entry in entries[:place] or (not entry.provider and entry.model == first):
            raise ValueError(
                say("the chain {text!r} comes back to {entry}", text=without_password(text), entry=entry.name)
            )
    return Chain(first, entries)


def _entry(text: str) -> Entry:
    if "://" in text:
        return _at_url(text)
    provider, colon, model = text.partition(":")
    if not colon:
        return Entry(_model(text))
    if not provider:
        return Entry(_model(model))
    name, profile = _profile_of(provider)
    if profile.shut_down:
        raise ValueError(say("{provider} was shut down on {day}", provider=provider, day=profile.shut_down))
    if not profile.hosts:
        raise ValueError(
            say(
                "{provider} has no host of its own: write its base URL, {provider}@https://HOST/v1:MODEL",
                provider=provider,
            )
        )
    return Entry(_model(model), provider, profile=name)


def _at_url(text: str) -> Entry:
    match = _URL.fullmatch(text) if "@" not in text.partition("://")[2].partition("/")[0] else None
    if match is None or (_NUMBER.fullmatch(match["model"]) and urlsplit(match["url"]).port is None):
        raise ValueError(
            say(
                "accepted is BASE-URL:MODEL, such as http://10.0.0.5:8000/v1:qwen3; {text!r} is not",
                text=without_password(text),
            )
        )
    base = read.base_url(match["url"])
    if match["profile"]:
        read.profile(match["profile"])
    server = str(replace(base, path="")).partition("://")[2]
    return Entry(_model(match["model"]), server, base, match["profile"] or "")


def _model(text: str) -> str:
    if not _MODEL.fullmatch(text) or set("*?") & set(text):
        raise ValueError(say("{text!r} is no model id", text=without_password(text)))
    return text


def _profile_of(provider: str) -> tuple[str, Profile]:
    """The profile of that name, or the one of that vendor which is no plan and is still there."""
    if provider in profiles.names():
        return provider, profiles.load(provider)
    known = {name: profiles.load(name) for name in profiles.names()}
    of_vendor = [
        name
        for name, profile in known.items()
        if profile.vendor == provider and profile.hosts and not profile.plan and not profile.shut_down
    ]
    if len(of_vendor) > 1:
        raise ValueError(
            say("{provider} has several: name one of {names}", provider=provider, names=", ".join(of_vendor))
        )
    if not of_vendor:
        near = suggestion(provider, sorted(_providers()))
        raise ValueError(
            say(
                "the provider {provider!r} is unknown; a model with a colon in its id is written with one before it, "
                ":{provider}:…",
                provider=provider,
            )
            + near
        )
    return of_vendor[0], known[of_vendor[0]]


def _providers() -> set[str]:
    return {*profiles.names(), *(vendor for name in profiles.names() if (vendor := profiles.load(name).vendor))}


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))
