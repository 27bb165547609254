"""URLs of `hunyuan_store` that name a Redis: one server, or the master that Sentinels know.

    redis://HOST:PORT/DB
    redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB

`rediss` in place of `redis` is TLS. Redis Cluster is refused: the scripts of the limits use several keys at once, which
lie on different nodes there, and its clients, pipelines and scans are others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ..texts.terminal import say

SCHEMES = ("redis", "rediss")
TLS_PARAMETERS = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
"""What the query of a `rediss` URL may name: files, for a server with a certificate of its own."""
SENTINEL_PORT = 26379

_SENTINEL = ("redis+sentinel", "rediss+sentinel")
_CLUSTER = ("redis+cluster", "rediss+cluster")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?)(?::([0-9]{1,5}))?", re.ASCII)
_PATH = re.compile(r"/([\w.-]+)(?:/([0-9]{0,5}))?/?", re.ASCII)


class Sentinels(NamedTuple):
    """A master by its name, and the Sentinels that know where it is."""

    hosts: tuple[tuple[str, int], ...]
    name: str
    db: int
    user: str | None
    tls: Mapping[str, str] | None
    """The files of `TLS_PARAMETERS`; `None`: without TLS."""


def is_redis(item: str) -> bool:
    """Whether an item of `hunyuan_store` names a Redis, of whatever kind."""
    return item.partition(":")[0].lower() in (*SCHEMES, *_SENTINEL, *_CLUSTER)


def joined(items: Sequence[str]) -> Iterator[str]:
    """`items` of a list that was split at its commas; the hosts of one Sentinel URL are one again."""
    hosts = ""
    for item in items:
        hosts = f"{hosts},{item}" if hosts else item
        scheme, _, rest = hosts.partition("://")
        if scheme.lower() in _SENTINEL and "/" not in rest:
            continue
        yield hosts
        hosts = ""
    if hosts:
        yield hosts


def sentinels(url: str) -> Sentinels | None:
    """What a URL of Sentinels says; `None` for another URL. Raises `ValueError` for one that says too little or more.

    A password is no part of it: process lists and mitmweb would show it.
    """
    if url.partition(":")[0].lower() not in _SENTINEL:
        return None
    accepted = say(
        "accepted is redis+sentinel://HOST:{port},HOST:{port}/NAME/DB with the name of the master and a number for DB, "
        "and in the query nothing but {parameters}; the passwords belong in HUNYUAN_REDIS_PASSWORD and "
        "HUNYUAN_REDIS_SENTINEL_PASSWORD",
        port=SENTINEL_PORT,
        parameters=", ".join(TLS_PARAMETERS),
    )
    parts = urlsplit(url)
    user, at, given = parts.netloc.rpartition("@")
    hosts = [_HOST.fullmatch(host.strip()) for host in given.split(",")]
    path, query = _PATH.fullmatch(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
    with_tls = parts.scheme == "rediss+sentinel"
    if path is None or parts.fragment or ":" in user or set(query) - set(TLS_PARAMETERS) or (query and not with_tls):
        raise ValueError(accepted)
    found = [(host[1].strip("[]"), int(host[2] or SENTINEL_PORT)) for host in hosts if host is not None]
    if len(found) < len(hosts) or not all(0 < port < 1 << 16 for _, port in found):
        raise ValueError(accepted)
    return Sentinels(
        tuple(found), path[1], int(path[2] or 0), unquote(user) if at else None, query if with_tls else None
    )


def check(url: str) -> None:
    """Refuse, by `ValueError`, what can't be used."""
    scheme = url.partition(":")[0].lower()
    if scheme in _CLUSTER:
        raise ValueError(
            say(
                "Redis Cluster is not supported, since limits change several keys at once, which lie on different "
                "nodes there: use one Redis, redis://HOST:PORT/DB, or one with a standby, redis+sentinel://HOST:PORT/NAME/DB"
            )
        )
    sentinels(url)
