"""The channel: messages whole, however their bytes come; bounds; its end."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.supervisor import channel
from hunyuan_fix.supervisor.channel import Channel, Lines, Unreadable, written

MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-9, 9), max_size=4))


@given(MESSAGES, st.lists(st.integers(0, 400), max_size=20))
def test_messages_are_whole_wherever_their_bytes_are_split(messages: list[dict[str, Any]], cuts: list[int]):
    data = b"".join(map(written, messages))
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    lines = Lines()
    heard = [message for start, end in pairwise(at) for message in lines.feed(data[start:end])]
    assert heard == messages


@pytest.mark.parametrize("data", [b"[1]\n", b"nothing\n", b"\n", b"\xff\n", b"{} {}\n"])
def test_what_is_no_message_is_refused(data: bytes):
    with pytest.raises(Unreadable):
        Lines().feed(data)


def test_a_line_without_an_end_is_refused_once_it_is_too_long():
    lines = Lines(longest=10)
    assert lines.feed(b'{"a":') == []
    with pytest.raises(Unreadable):
        lines.feed(b"      ")


async def test_both_sides_hear_each_other_and_the_end():
    one, other = socket.socketpair()
    heard: list[Any] = []
    answered, gone = asyncio.Event(), asyncio.Event()

    def hear(message: Any) -> None:
        heard.append(message)
        answered.set()

    left = await Channel.over(one, hear, gone.set)

    def answer(message: Any) -> None:
        right.send({"answer": message})

    right = await Channel.over(other, answer, lambda: None)
    assert left.send({"kind": "question"})
    await answered.wait()
    assert heard == [{"answer": {"kind": "question"}}]
    right.close()
    await gone.wait()
    assert not left.send({})


async def test_what_is_no_message_ends_the_channel():
    one, other = socket.socketpair()
    gone = asyncio.Event()
    await Channel.over(one, lambda _: None, gone.set)
    with other:
        other.sendall(b"nothing\n")
        await gone.wait()


async def test_a_reader_that_does_not_read_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channel, "MOST_UNSENT", 1000)
    one, other = socket.socketpair()
    left = await Channel.over(one, lambda _: None, lambda: None)
    with other:
        sent = 0
        while left.send({"text": "x" * 100_000}):
            sent += 1
            assert sent < 1000
        assert left.is_full
        read = asyncio.create_task(asyncio.to_thread(_drain, other))
        await left.sent()
        assert not left.is_full
        left.close()
        assert await read == sent


def _drain(end: socket.socket) -> int:
    data = b""
    while part := end.recv(1 << 16):
        data += part
    return data.count(b"\n")
