"""The store in a Redis server: shared by all workers, on any machine."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from ..config.option import OptionError
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
TLS_PARAMETERS = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
"""What the query of a `rediss://` URL may name: files, for a server with a certificate of its own."""
BATCH = 500
"""Keys per round trip of a scan."""


def redis_client(url: str) -> Client:
    """A client for the server at `url`; its password comes from `HUNYUAN_REDIS_PASSWORD`. Connects when it is used.

    If a kept connection is dead, it is replaced and the command sent once more; after a timeout it isn't. Raises
    `OptionError` for a URL with more in it than the server's address, and if the package isn't installed.
    """
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
    pool = BlockingConnectionPool.from_url(
        url,
        password=os.environ.get("HUNYUAN_REDIS_PASSWORD") or None,
        max_connections=CONNECTIONS,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,)),
    )
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
        with _plain_errors():
            await cast("Awaitable[bool]", client.ping())  # redis-py declares its synchronous client too
    except StoreError as error:
        return str(error)
    return None


class Redis:
    """Values in the Redis server at `url`, under `PREFIX`. Size and eviction are configured in the server.

    Raises `OptionError` as `redis_client` does.
    """

    name = "redis"

    def __init__(self, url: str) -> None:
        self._client = redis_client(url)

    async def get(self, key: str) -> Item | None:
        """See `Store`."""
        with _plain_errors():
            return (await self._items([PREFIX + key]))[0]

    async def put(self, key: str, value: bytes, lasts: float | None = None) -> None:
        """See `Store`."""
        with _plain_errors():
            await self._client.set(PREFIX + key, value, px=None if lasts is None else max(1, round(lasts * 1000)))

    async def delete(self, key: str) -> None:
        """See `Store`."""
        with _plain_errors():
            await self._client.delete(PREFIX + key)

    async def scan(self, prefix: str, limit: int) -> list[tuple[str, Item]]:
        """See `Store`. In no order."""
        found: dict[str, Item] = {}
        with _plain_errors():
            async for keys in self._batches(prefix):
                items = zip(keys, await self._items(keys), strict=True)
                found |= {key.removeprefix(PREFIX): item for key, item in items if item}
                if len(found) >= limit:
                    break
        return list(found.items())[:limit]

    async def clear(self, prefix: str) -> int:
        """See `Store`."""
        count = 0
        with _plain_errors():
            async for keys in self._batches(prefix):
                count += await self._client.delete(*keys)
        return count

    async def aclose(self) -> None:
        """See `Store`."""
        with _plain_errors():
            await self._client.aclose()

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
def _plain_errors() -> Iterator[None]:
    from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415 - there is a client, so they are there

    try:
        yield
    except ResponseError as error:
        # Its text may quote the command, and with it a value. Its first word is a code, such as NOSCRIPT, unless the
        # client has a class for that: OutOfMemoryError, ReadOnlyError.
        code = str(error).partition(" ")[0][:40] if type(error) is ResponseError else type(error).__name__
        raise StoreError(f"the server refuses: {code}") from None
    except (RedisError, OSError) as error:
        raise StoreError(f"{type(error).__name__}: {error}") from None
