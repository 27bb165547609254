"""The store in a Redis server: shared by all workers, on any machine."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import batched
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from ..config import redis_urls
from ..config.option import OptionError
from ..config.redis_urls import TLS_PARAMETERS, Sentinels
from ..texts.terminal import say
from .store import Item, StoreError

if TYPE_CHECKING:
    from redis.asyncio import Redis as Client

PREFIX = "hunyuan-fix:"
"""The beginning of every key of this program: the server may serve others too."""
TIMEOUT = 0.2
"""Seconds for connecting and for each answer."""
CONNECTIONS = 8
"""Connections to the server at once; an operation that needs another one waits."""
BATCH = 500
"""Keys per round trip of a scan."""


def redis_client(url: str) -> Client:
    """A client for the server at `url`; its password comes from `HUNYUAN_REDIS_PASSWORD`. Connects when it is used.

    If a kept connection is dead, it is replaced and the command sent once more; after a timeout it isn't. By a URL of
    Sentinels each new connection goes to the master of that moment. Raises `OptionError` for a URL with more in it than
    the server's address, and if the package isn't installed.
    """
    try:
        named = redis_urls.sentinels(url)
    except ValueError as error:
        raise OptionError(f"hunyuan_store=redis+sentinel://...: {error}") from None
    if named is None:
        _check(url)
    try:
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - an optional extra
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import ConnectionError as ConnectionLost  # noqa: PLC0415
    except ImportError:
        missing = say(
            "the Python package redis is not installed; pip install 'redis>=7,<8' adds it, in a clone the variable "
            "HUNYUAN_FIX_EXTRA=redis at the next start"
        )
        raise OptionError(f"hunyuan_store=redis://...: {missing}") from None
    options: dict[str, Any] = {
        "password": os.environ.get("HUNYUAN_REDIS_PASSWORD") or None,
        "max_connections": CONNECTIONS,
        "timeout": TIMEOUT,
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,)),
    }
    if named is not None:
        return _by_sentinels(named, options)
    return Redis.from_pool(BlockingConnectionPool.from_url(url, **options))


def _by_sentinels(named: Sentinels, options: dict[str, Any]) -> Client:
    """A client for the master `named`, wherever it is."""
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - an optional extra
    from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool  # noqa: PLC0415

    class Masters(SentinelConnectionPool, BlockingConnectionPool):
        """Connections to the master; an operation that needs another one waits, as with one server."""

        async def disconnect(self, inuse_connections: bool = True) -> None:
            """Close all, those to the Sentinels too; or only the idle ones, which a failover does."""
            await super().disconnect(inuse_connections)
            if inuse_connections:
                for sentinel in self.sentinel_manager.sentinels:
                    await sentinel.aclose()

    tls = {} if named.tls is None else {"ssl": True, **named.tls}
    # All of them are asked within the time of one operation: a machine that is gone mustn't hide the next.
    each = TIMEOUT / (len(named.hosts) + 1)
    asking: dict[str, Any] = {
        "password": os.environ.get("HUNYUAN_REDIS_SENTINEL_PASSWORD") or None,
        "socket_timeout": each,
        "socket_connect_timeout": each,
        "retry": options["retry"],
        **tls,
    }
    manager = Sentinel(named.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    options |= tls
    pool = Masters(named.name, manager, db=named.db, username=named.user, **options)  # type: ignore[no-untyped-call]
    return Redis.from_pool(pool)


def _check(url: str) -> None:
    """Refuse what redis-py would accept or ignore silently: a password or timeouts in the query, a wrong DB."""
    parts = urlsplit(url)
    strange = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if name not in TLS_PARAMETERS]
    if strange or parts.fragment or not re.fullmatch(r"/?[0-9]*", parts.path):
        accepted = say(
            "accepted is redis://HOST:PORT/DB with a number for DB, and in the query nothing but {parameters}; the "
            "password belongs in HUNYUAN_REDIS_PASSWORD",
            parameters=", ".join(TLS_PARAMETERS),
        )
        raise OptionError(f"hunyuan_store=redis://...: {accepted}")


async def unreachable(client: Client) -> str | None:
    """Why the server of `client` doesn't answer; `None` if it does."""
    try:
        with plain_errors():
            await cast("Awaitable[bool]", client.ping())  # redis-py declares its synchronous client too
    except StoreError as error:
        return str(error)
    return None


async def unfit(client: Client) -> str | None:
    """Why the server of `client`, which answers, can't be used: a Cluster, a Sentinel, a replica. `None` if it can.

    A server that doesn't let its user ask is believed. Raises `StoreError` where it doesn't answer.
    """
    from redis.exceptions import ResponseError  # noqa: PLC0415 - there is a client, so they are there

    with plain_errors():
        try:
            role: Any = await client.role()
            if role and role[0] in (b"sentinel", "sentinel"):
                return _A_SENTINEL
            info: Any = await client.info("cluster")
            if str(info.get("cluster_enabled")) == "1":
                return _A_CLUSTER
            if role and role[0] in (b"slave", "slave"):
                return _A_REPLICA
        except ResponseError:
            return None
    return None


_A_CLUSTER = (
    "it is a node of a Redis Cluster, which is not supported: name one Redis, or one with a standby by "
    "redis+sentinel://HOST:PORT/NAME/DB"
)
_A_SENTINEL = (
    "it is a Sentinel and keeps no values: name the master that it knows by redis+sentinel://HOST:PORT/NAME/DB"
)
_A_REPLICA = (
    "it is a read-only replica: name its master, or by redis+sentinel://HOST:PORT/NAME/DB whichever is the master"
)
_NO_MASTER = "no Sentinel that answers knows a master of this name that is up"
_NO_SENTINEL = "it is no Sentinel: redis+sentinel:// names Sentinels, and redis://HOST:PORT/DB a server"


def said_of_servers() -> list[str]:
    """What is said of a server of the wrong kind: in English, translated where it is said."""
    return [_A_CLUSTER, _A_SENTINEL, _A_REPLICA, _NO_MASTER, _NO_SENTINEL]


def in_words(error: Exception) -> str | None:
    """What an error of redis-py says of the server's kind; `None` for any other error."""
    from redis import exceptions  # noqa: PLC0415 - there is a client, so they are there
    from redis.asyncio.sentinel import MasterNotFoundError  # noqa: PLC0415

    if isinstance(error, MasterNotFoundError):
        return _NO_MASTER
    if isinstance(error, (exceptions.AskError, exceptions.ClusterCrossSlotError, exceptions.ClusterDownError)):
        return _A_CLUSTER
    if isinstance(error, exceptions.ReadOnlyError):
        return _A_REPLICA
    if isinstance(error, exceptions.ResponseError) and str(error).lower().startswith("unknown command 'sentinel'"):
        return _NO_SENTINEL
    if isinstance(error, exceptions.ResponseError) and str(error).lower().startswith("unknown command"):
        return _A_SENTINEL
    return None


class Redis:
    """Values in the Redis server at `url`, under `PREFIX`. Size and eviction are configured in the server.

    Raises `OptionError` as `redis_client` does.
    """

    name = "redis"

    def __init__(self, url: str) -> None:
        self._client = redis_client(url)
        self._fit = False
        """Whether the server is known to be one that can be used. A Cluster's node takes some keys and refuses others:
        it would be by-passed and come back again and again."""

    async def get(self, key: str) -> Item | None:
        """See `Store`."""
        async with self._in_use():
            return (await self._items([PREFIX + key]))[0]

    async def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """See `Store`."""
        async with self._in_use():
            await self._client.set(PREFIX + key, value, px=None if lasts is None else max(1, round(lasts * 1000)))

    async def delete(self, key: str) -> None:
        """See `Store`."""
        async with self._in_use():
            await self._client.delete(PREFIX + key)

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """See `Store`. In no order."""
        found: dict[str, Item] = {}
        async with self._in_use():
            async for keys in self._batches(prefix):
                items = zip(keys, await self._items(keys), strict=True)
                found |= {key.removeprefix(PREFIX): item for key, item in items if item}
                if len(found) >= limit:
                    break
        return list(found.items())[:limit]

    async def clear(self, prefix: str) -> int:
        """See `Store`."""
        count = 0
        async with self._in_use():
            async for keys in self._batches(prefix):
                count += await self._client.delete(*keys)
        return count

    async def aclose(self) -> None:
        """See `Store`."""
        with plain_errors():
            await self._client.aclose()

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[None]:
        with plain_errors():
            if not self._fit:
                if (why := await unfit(self._client)) is not None and why != _A_REPLICA:  # which can be read
                    raise StoreError(why)
                self._fit = True
            yield

    async def _items(self, keys: Sequence[str]) -> list[Item | None]:
        """The items of `keys`, in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
            pipeline.pttl(key)
        # An error that the pipeline itself raised would quote the command.
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for error in (answer for answer in answers if isinstance(answer, Exception)):
            raise error
        return [_item(*answer) for answer in batched(answers, 2)]

    async def _batches(self, prefix: str) -> AsyncIterator[list[str]]:
        """The keys that start with `prefix`, in parts of some hundred; one may come twice."""
        # what is special in a pattern stands for itself
        pattern = PREFIX + re.sub(r"([*?\[\]^\\-])", r"\\\1", prefix) + "*"
        cursor = 0
        while True:
            cursor, keys = await self._client.scan(cursor, pattern, BATCH)
            if keys:
                yield [key.decode("ascii", "replace") for key in keys]
            if not cursor:
                return


def _item(value: bytes | None, milliseconds: int) -> Item | None:
    """The item from the answers to GET and PTTL. PTTL is -1 for a value without expiry, -2 if it has gone since GET."""
    if value is None or milliseconds in (-2, 0):
        return None
    return Item(value, None if milliseconds < 0 else milliseconds / 1000)


@contextmanager
def plain_errors() -> Iterator[None]:
    """`StoreError` in place of what redis-py raises, in words for a person and without the command."""
    from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415 - there is a client, so they are there

    try:
        yield
    except ResponseError as error:
        # Its text may quote the command, and with it a value. Its first word is a code, such as NOSCRIPT, unless the
        # client has a class for that: OutOfMemoryError, ReadOnlyError.
        code = str(error).partition(" ")[0][:40] if type(error) is ResponseError else type(error).__name__
        raise StoreError(in_words(error) or f"the server refuses: {code}") from None
    except (RedisError, OSError) as error:
        raise StoreError(in_words(error) or f"{type(error).__name__}: {error}") from None
