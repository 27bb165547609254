"""One HTTP answer on its way out, over ASGI; ASGI has no way to break a connection, so that goes beside it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

from .codec import encode

type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Headers = tuple[tuple[bytes, bytes], ...]

# HTTP/2 frames leave through a task of hypercorn's own: what was sent before a cut needs a moment to go out.
_H2_FLUSH = 0.05


class Response:
    """The answer to one request.

    `connection` is the stream writer under the request, `http_version` "1.1" or "2". `complete` turns true with
    the last byte: a client that closes after that has not left early. `broken`: it was cut. `ended` is called just
    before that byte leaves.
    """

    def __init__(
        self,
        send: Send,
        connection: asyncio.StreamWriter | None,
        http_version: str,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._send = send
        self._ended = ended
        self._connection = connection
        self._http_version = http_version
        self.complete = False
        self.broken = False
        self.status = 0

    async def start(self, status: int, content_type: bytes, headers: Headers = ()) -> None:
        """Send status line and headers."""
        self.status = status
        fields = [(b"content-type", content_type), *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": fields})

    async def part(self, data: bytes, *, last: bool = False) -> None:
        """Send a piece of the body."""
        if last:
            self._finished()
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    async def whole(
        self, status: int, body: bytes, headers: Headers = (), *, content_type: bytes = b"application/json"
    ) -> None:
        """Send an answer in one go."""
        await self.start(status, content_type, (*headers, _length(body)))
        await self.part(body, last=True)

    async def json(self, status: int, body: object, headers: Headers = (), *, pack: bool = False) -> None:
        """Send a JSON answer, gzipped if `pack`."""
        content = encode(body)
        if pack:
            content, headers = gzip.compress(content, mtime=0), (*headers, (b"content-encoding", b"gzip"))
        await self.whole(status, content, headers)

    async def truncated(self, status: int, body: object) -> None:
        """Send half of a JSON answer, then hang up."""
        content = encode(body)
        await self.start(status, b"application/json", (_length(content),))
        await self.part(content[: len(content) // 2])
        await self.hang_up()

    async def hang_up(self, unfinished: bytes = b"") -> None:
        """Close the connection; over HTTP/1.1 in the middle of a chunk, of which `unfinished` is the start."""
        self.broken = True
        self._finished()
        if self._connection is None:
            return
        if self._http_version == "2":
            await asyncio.sleep(_H2_FLUSH)
        elif unfinished:
            self._connection.write(b"%x\r\n" % (2 * len(unfinished)) + unfinished)
        self._connection.close()

    def _finished(self) -> None:
        self.complete = True
        self._ended()


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)
