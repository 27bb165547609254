"""`HTTPS_PROXY` and `NO_PROXY` as programs started from the user's shell get them.

This process gets the same environment: variables that the shell has but doesn't export are missing here too.
"""

from __future__ import annotations

from ..addresses import HOST
from .proxy_address import ProxyAddress, exceptions_for, given_proxies
from .situation import Finding, Situation


def https_proxy(situation: Situation) -> Finding:
    """Whether clients started here go to the proxy."""
    given = given_proxies(situation.environment)
    if not given:
        return _not_set(situation)
    wrong = {name: address for name, address in given.items() if not situation.leads_here(address)}
    if not wrong:
        return Finding("HTTPS_PROXY", "ok", f"leads to the proxy on {HOST}:{situation.port}")
    mistaken = situation.in_use or any(address is None or address.local for address in wrong.values())
    found = "; ".join(_why_wrong(name, address, situation.port) for name, address in wrong.items())
    return Finding("HTTPS_PROXY", "problem" if mistaken else "warning", found, situation.activation())


def _not_set(situation: Situation) -> Finding:
    found = "isn't set here: clients started from this shell go past the proxy"
    if any(situation.environment.get(name) for name in ("ALL_PROXY", "all_proxy")):
        found += " (ALL_PROXY is not enough: programs in Node don't read it)"
    advice = f"{situation.activation()}   or give the client the base URL http://{HOST}:{situation.reverse_port}/v1"
    return Finding("HTTPS_PROXY", "warning", found, advice)


def _why_wrong(name: str, address: ProxyAddress | None, port: int) -> str:
    if address is None:
        return f"{name} is no address such as http://{HOST}:{port}"
    if address.local and address.port == port:
        return f"{name} must begin with http://, also for HTTPS: it is {address}"
    return f"{name} leads to {address}, not to the proxy on {HOST}:{port}"


def no_proxy(situation: Situation) -> Finding:
    """Whether the endpoint is excepted from the proxy."""
    host = situation.upstream.host
    entries = exceptions_for(host, situation.environment)
    if not entries:
        return Finding("NO_PROXY", "ok", f"doesn't cover {host}")
    found = f"{', '.join(entries)} sends calls to {host} past the proxy"
    return Finding("NO_PROXY", "problem", found, f"take {', '.join(entries)} out of NO_PROXY and no_proxy")
