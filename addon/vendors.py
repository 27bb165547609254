"""Whose a host is: the key of one vendor's customer must reach no other vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import profiles
from .wire.host_names import is_loopback

HOME = "tencent"
"""The vendor of hosts of which nothing else is known: a gateway or a server of the user's own."""

_DOMAINS = (
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
    "kimi.ai",
    "zenmux.ai",
    "bigmodel.cn",
    "z.ai",
    "minimaxi.com",
    "minimax.io",
    "dashscope.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
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
    "siliconflow.com",
)
"""Domains of other vendors, whose hosts hold the keys of their own customers. A host that a profile names is of that
profile's vendor, also below one of these."""

_SHORT = {"anthropic": "anthropic.com", "openai": "openai.com"}
"""What people call a vendor -> its domain, where no profile has hosts of it."""


@dataclass(frozen=True)
class Vendors:
    """The vendor of each host, under the user's options: `named` is `hunyuan_hosts`, `profile` `hunyuan_profile`."""

    named: Mapping[str, str | None] = field(default_factory=dict)
    profile: str | None = None

    def of(self, host: str, path: str = "") -> str:
        """The vendor of what `path` is for at `host`, both in the form for comparisons (`canonical`, `paths.normal`).

        A profile's own hosts are its vendor's, whatever the options say of them: an option can't make a key fit. Then
        come the domains of other vendors, each a vendor of that name. A host that only the options name is of the
        vendor of its profile, if the profile is one of a vendor's: one without hosts says of a format alone what it is.
        """
        known = {name: profiles.load(name).vendor for _, name in profiles.by_host().get(host, ())}
        if known:
            here = profiles.at(host, path)
            if here is not None:
                return known[here]
            # Two vendors behind one name, and a path of neither: nobody's key goes there.
            return next(iter(known.values())) if len(set(known.values())) == 1 else host
        if domain := other_vendor(host):
            return domain
        named = self.named.get(host) or self.profile
        stood_for = profiles.load(named) if named else None
        return stood_for.vendor if stood_for and stood_for.hosts else HOME

    def may_keep_key(self, host: str, path: str, vendor: str) -> bool:
        """Whether the key of a request that was addressed to `host` may leave for a host of `vendor`.

        A server on this machine stands for anything, unless the user has named its profile. Another host that only
        `hunyuan_hosts` knows has customers of its own.
        """
        if not self.named.get(host) and is_loopback(host):
            return True
        if host in self.named and host not in profiles.by_host() and not is_loopback(host):
            return False
        return self.of(host, path) == vendor


def other_vendor(host: str) -> str | None:
    """The domain of another vendor that `host` is below; `None` for any other host."""
    return next((domain for domain in _DOMAINS if host == domain or host.endswith(f".{domain}")), None)


def is_a_vendors(host: str) -> bool:
    """Whether `host` is known to be a vendor's, Tencent's too."""
    return host in profiles.by_host() or other_vendor(host) is not None


def providers() -> tuple[str, ...]:
    """The names by which a key may be given to hosts: of vendors, of profiles that have hosts, and of vendors' domains.

    A domain below which a profile has hosts is no name: those are of the profile's vendor.
    """
    having = [profile for profile in map(profiles.load, profiles.names()) if profile.hosts]
    names = {*(profile.vendor for profile in having), *(profile.name for profile in having), *_SHORT}
    return (*sorted(names), *sorted(domain for domain in _DOMAINS if provider_below(domain) is None))


def provider_below(domain: str) -> str | None:
    """The vendor of a profile that has hosts at or below `domain`, of other vendors' domains; `None` for none."""
    if domain not in _DOMAINS:
        return None
    hosts = (host for host in profiles.by_host() if host == domain or host.endswith(f".{domain}"))
    return next((profiles.load(name).vendor for host in hosts for _, name in profiles.by_host()[host]), None)


def names_of(vendor: str) -> tuple[str, ...]:
    """The names of `providers` that mean all hosts of `vendor`."""
    return (vendor, *(short for short, domain in _SHORT.items() if domain == vendor))
