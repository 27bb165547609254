"""Compares host names: which are the same host, which are this machine, which host a request is for."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable
from functools import lru_cache

LOOPBACK = "127.0.0.1"

_KNOWN_HOSTS = 256
"""Hosts whose `is_loopback` is cached: it is asked several times per request."""


def canonical(host: str) -> str:
    """`host` in the form for comparisons: lower case, no final dot, no brackets."""
    return host.lower().rstrip(".").strip("[]")


def host_in(authority: str) -> str:
    """The host in `HOST:PORT`, `canonical`. For other text the result is no host's name."""
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
    """The host that a request is for, `canonical`; `None` where the client has named two.

    `target`: the host that the client opened its connection to; `sni`: the name in its TLS handshake; `sent`: its
    `Host` and `:authority`. A client that resolves names itself connects to an IP address: the name is then that of the
    handshake, because any server may answer at the address. A `Host` with another name could lead to another customer
    of a shared front end, behind a certificate that is the right one.
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
    """Whether to decrypt a TLS connection: its target and its SNI name one of `hosts`.

    `target`: the host that it was opened to; `None` for a handshake with the proxy itself, which is always decrypted.
    """
    return target is None or one_name(target, sni) in hosts


def reached_at(host: str, port: int) -> str:
    """`HOST:PORT` by which clients on this machine reach what listens on `host` (an address; all of them: loopback)."""
    shown = {"": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
