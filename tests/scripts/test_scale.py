"""The clients of `scripts/scale` say what went wrong, and nothing else; what they find is a promise that is broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from scripts.lib.scale import Report
from scripts.lib.scale_clients import crowd

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"


@asynccontextmanager
async def endpoint(*answers: bytes, closes: Callable[[bytes], bool]) -> AsyncIterator[int]:
    """Gives these answers in turn; `closes`: after which it hangs up."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            answer = left.pop(0)
            writer.write(answer)
            if closes(answer):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def times(count: int) -> Callable[[], bool]:
    left = iter(range(count))
    return lambda: next(left, None) is not None


async def test_good_answers_are_good_however_they_come() -> None:
    async with endpoint(OK, CHUNKED, CLOSING, OK, closes=lambda answer: answer == CLOSING) as port:
        outcomes = await crowd([port], 1, times(4), lambda _: b"{}")
    assert (outcomes.ok, outcomes.connections, dict(outcomes.failed)) == (4, 2, {})


@pytest.mark.parametrize(
    ("answer", "failed"), [(BUSY, "503"), (CUT, "IncompleteReadError"), (b"", "IncompleteReadError")]
)
async def test_each_other_one_is_counted_once_and_nothing_is_sent_again(answer: bytes, failed: str) -> None:
    async with endpoint(OK, answer, OK, closes=lambda given: given in (CUT, b"")) as port:
        outcomes = await crowd([port], 1, times(3), lambda _: b"{}")
    assert (outcomes.ok, dict(outcomes.failed)) == (2, {failed: 1})


async def test_nobody_who_listens_is_a_failure() -> None:
    async with endpoint(closes=lambda _: False) as port:
        pass
    outcomes = await crowd([port], 2, times(2), lambda _: b"{}")
    assert (outcomes.ok, sum(outcomes.failed.values())) == (0, 2)


def test_a_promise_that_does_not_hold_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.promise("one", holds=True)
    report.promise("two", holds=False)
    assert (report.held, report.broken) == (1, 1)
    assert "BROKEN" in capsys.readouterr().out
