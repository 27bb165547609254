"""The variables of a program started from the user's shell: proxies, exceptions from them, base URLs.

This process gets the same environment: variables that the shell has but doesn't export are missing here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import profiles, vendors
from ...texts.sentence import Sentence
from ...wire.host_names import canonical, is_loopback
from ..addresses import HOST
from . import base_urls
from .base_urls import Api, Ports
from .listeners import Listener
from .proxy_address import ALL, ProxyAddress, exceptions_for, given_proxies
from .situation import Finding, Situation

BASE_URLS: Mapping[str, Api] = {
    "OPENAI_BASE_URL": "chat",
    "OPENAI_API_BASE": "chat",
    "ANTHROPIC_BASE_URL": "anthropic",
    "HUNYUAN_UPSTREAM": "chat",
}
"""Variable with a base URL -> what its readers speak."""
_FOR_HTTP = ("http_proxy", "HTTP_PROXY", *ALL)
"""By which clients reach http:// URLs, as that of the reverse port."""


def proxy_mode(situation: Situation) -> Finding:
    """For users of the reverse port: that nothing else has to be set, and what the other way would need."""
    found = Sentence(
        "not in use: certificates and variables are only needed for HTTPS_PROXY, not for the base URL {url}",
        url=situation.reverse_url,
    )
    return Finding("proxy-mode/off", "info", found, Sentence("to use it: {line}", line=situation.activation()))


def https_proxy(situation: Situation) -> Finding:
    """Whether clients started here go to the proxy."""
    given = given_proxies(situation.environment)
    if not given:
        found = Sentence("isn't set here: clients started from this shell go past the proxy")
        if any(situation.environment.get(name) for name in ALL):
            found = Sentence("isn't set here, and ALL_PROXY is not enough: programs in Node don't read it")
        return Finding("https-proxy/none", "warning", found, situation.activation())
    wrong = {name: address for name, address in given.items() if not situation.leads_here(address)}
    if not wrong:
        found = Sentence("leads to the proxy on {where}", where=f"{HOST}:{situation.port}")
        return Finding("https-proxy/ok", "ok", found)
    mistaken = situation.in_use or any(address is None or address.local for address in wrong.values())
    name, address = next(iter(wrong.items()))
    found = why_wrong(name, address, situation.port)
    return Finding("https-proxy/wrong", "problem" if mistaken else "warning", found, situation.activation())


def why_wrong(name: str, address: ProxyAddress | None, port: int) -> Sentence:
    """Why the variable `name`, which holds `address`, doesn't lead to the proxy on `port`."""
    if address is None:
        return Sentence("{variable} is no address such as {url}", variable=name, url=f"http://{HOST}:{port}")
    if address.local and address.port == port:
        return Sentence(
            "{variable} must begin with http://, also for HTTPS: it is {address}", variable=name, address=address
        )
    return Sentence(
        "{variable} leads to {address}, not to the proxy on {where}",
        variable=name,
        address=address,
        where=f"{HOST}:{port}",
    )


def no_proxy(situation: Situation) -> Finding:
    """Whether the endpoint is excepted from the proxy."""
    host = situation.client_url.host
    entries = exceptions_for(host, situation.environment)
    if not entries:
        return Finding("no-proxy/ok", "ok", Sentence("doesn't cover {host}", host=host))
    names = ", ".join(entries)
    found = Sentence("{entries} sends calls to {host} past the proxy", entries=names, host=host)
    return Finding(
        "no-proxy/covers", "problem", found, Sentence("take {entries} out of NO_PROXY and no_proxy", entries=names)
    )


def http_proxy(situation: Situation) -> Finding | None:
    """Whether another proxy gets calls to the reverse port, which no other machine could answer."""
    given = [name for name in _FOR_HTTP if situation.environment.get(name)]
    if not given or exceptions_for(HOST, situation.environment):
        return None
    address = ProxyAddress.of(situation.environment[given[0]])
    if situation.leads_here(address):
        return None
    found = Sentence(
        "{variable} sends calls to {url} to another proxy: {host} isn't in NO_PROXY",
        variable=given[0],
        url=situation.reverse_url,
        host=HOST,
    )
    entries = ",".join(filter(None, [situation.environment.get("NO_PROXY", ""), HOST, "localhost"]))
    return Finding("no-proxy/reverse-port", "warning", found, situation.export("NO_PROXY", entries))


def given_base_urls(situation: Situation) -> Iterator[Finding]:
    """Base URLs in the environment that can't work, or that lead past the proxy."""
    for name, api in BASE_URLS.items():
        given = situation.environment.get(name, "")
        if not given:
            continue
        judged = base_urls.mistake(given, api, Ports(situation.port, situation.reverse_port))
        shown = base_urls.shown(given)
        if judged is not None and not (judged.id in base_urls.REROUTED and rerouted(situation)):
            found = Sentence("the variable {name} is {url}: {why}", name=name, url=shown, why=judged.found)
            better = situation.export(name, judged.better) if judged.better else ""
            yield Finding(f"base-url/{judged.id}", "problem", found, better)
        elif name != "HUNYUAN_UPSTREAM" and judged is None and goes_past(given, situation):
            ours = Ports(situation.port, situation.reverse_port).base_url(api)
            found = Sentence("the variable {name} is {url}: such calls go past hunyuan-fix", name=name, url=shown)
            yield Finding("base-url/past", "warning" if situation.runs else "info", found, situation.export(name, ours))


def given_upstream(situation: Situation) -> Finding | None:
    """Whether the running proxy was given an upstream on a host that can't work, whatever its path."""
    upstream = situation.route.upstream if situation.route is not None else ""
    judged = base_urls.mistake(upstream, "any", Ports(situation.port, situation.reverse_port))
    if judged is None or judged.id == "shut-down":  # the check of the endpoint says that, if it is so
        return None
    found = Sentence("the running proxy sends calls to {url}: {why}", url=base_urls.shown(upstream), why=judged.found)
    run = f"{situation.run_command()} --upstream {judged.better}"
    advice = Sentence("stop the proxy, then {run}", run=run) if judged.better else ""
    return Finding("base-url/upstream", "problem", found, advice)


def rerouted(situation: Situation) -> bool:
    """Whether clients use the proxy, which sends calls to another host than they address."""
    if not situation.in_use or situation.proxy is not Listener.HUNYUAN_FIX:
        return False
    return situation.route is not None and not situation.route.shut_down


def goes_past(url: str, situation: Situation) -> bool:
    """Whether calls to `url`, an endpoint that hunyuan-fix is for, don't reach the proxy."""
    host = canonical(base_urls.parted(url).hostname or "")
    if situation.in_use or is_loopback(host) or host not in profiles.by_host():
        return False
    return vendors.Vendors().of(host) == vendors.HOME
