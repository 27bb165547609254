"""Which connections are opened up and which pass through as they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable
from functools import lru_cache

LOOPBACK = "127.0.0.1"

_KNOWN_HOSTS = 256
"""Hosts whose `is_loopback` is cached: it is asked several times per request."""


def canonical(host: str) -> str:
    """A host name as it is compared: lower case, no final dot, no brackets."""
    return host.lower().rstrip(".").strip("[]")


def host_in(authority: str) -> str:
    """The host in `HOST:PORT`, as it is compared. What is no authority at all equals no host's name."""
    host, colon, port = authority.rpartition(":")
    return canonical(host if colon and (port.isdigit() or not port) else authority)


@lru_cache(_KNOWN_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is a loopback one."""
    name = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def one_name(target: str, sni: str | None, sent: Iterable[str] = ()) -> str | None:
    """The one host that a request is for, `None` where its client has named two.

    `target`: the host that the client's connection was opened to; `sni`: the name in its TLS handshake; `sent`: what
    it sent as `Host` and `:authority`. A client that resolves names itself opens its connection to an IP address: then
    the name is that of its handshake, and the address counts for nothing, for anybody may answer there. A `Host` of
    another name could lead to another customer of a shared front end, behind a certificate that is the right one.
    """
    if sni is None or canonical(sni) == canonical(target):
        name = canonical(target)
    elif _is_address(target):
        name = canonical(sni)
    else:
        return None
    return name if all(_same(host_in(authority), name) for authority in sent) else None


def _same(host: str, name: str) -> bool:
    return host == name or (is_loopback(host) and is_loopback(name))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(canonical(host))
    except ValueError:
        return False
    return True


def decrypts(sni: str | None, target: str | None, hosts: Container[str]) -> bool:
    """Whether a TLS connection is for a known host, by the address it was opened to and by its SNI.

    Without a target it is the handshake with the proxy itself (a client that speaks TLS to its proxy).
    """
    return target is None or one_name(target, sni) in hosts
