"""What the page asks workers for, over the channel: a question goes in one message, its answer comes in pieces.

A piece is small, and the next one is sent when the channel is empty: a large answer fills no memory, and snapshots and
events get through between two of its pieces.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..exchange import JsonObject, Response
from ..observe.admin.rooms import PageRoom
from ..texts.sentence import Sentence
from ..wire import proxy_errors
from ..wire.openai_error import ProxyError
from .channel import Channel

PATIENCE: Final = 15.0
"""Seconds for the first piece of an answer, and for each further one."""
PIECE: Final = 512 << 10
"""Bytes of a piece."""
MOST: Final = 128 << 20
"""Bytes of an answer."""
MOST_OPEN: Final = 64
"""Questions to one worker at a time."""

QUESTION, PIECE_OF_ANSWER = "question", "piece"


@dataclass(slots=True)
class _Open:
    """A question without its whole answer."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    is_lost: bool = False


class Questions:
    """The questions to one worker. `send`: gives it a message; `False` where it can't be given any."""

    def __init__(self, send: Callable[[JsonObject], bool], patience: float = PATIENCE) -> None:
        self._send = send
        self._patience = patience
        self._number = 0
        self._open: dict[int, _Open] = {}
        self._has_ended = False

    async def ask(
        self, what: str, values: Mapping[str, Any], language: str, patience: float | None = None
    ) -> Response | ProxyError:
        """The worker's answer, an error of its page too; `ADMIN_WORKER_SILENT` where none comes.

        `patience`: seconds for its first piece, where the worker itself has to wait for others.
        """
        if self._has_ended:
            return silent(Sentence("it has ended"))
        if len(self._open) >= MOST_OPEN:
            return silent(Sentence("too much is asked of it already"))
        self._number = number = self._number + 1
        question = {"kind": QUESTION, "question": number, "what": what, "values": dict(values), "language": language}
        answer = self._open[number] = _Open()
        try:
            if not self._send(question):
                return silent(Sentence("it doesn't read what it is asked"))
            patience = patience or self._patience
            while not answer.is_whole:
                async with asyncio.timeout(patience):
                    await answer.came.wait()
                patience = self._patience
                answer.came.clear()
                if answer.is_lost:
                    return silent(Sentence("it has ended"))
                if len(answer.body) > MOST:
                    return silent(Sentence("its answer is too large"))
        except TimeoutError:
            return silent(Sentence("nothing has come from it in {seconds:.0f} seconds", seconds=patience))
        finally:
            del self._open[number]
        return Response(answer.status, answer.headers, bytes(answer.body))

    def take(self, piece: JsonObject) -> None:
        """A piece of an answer. One that nobody waits for any more is dropped."""
        answer = self._open.get(piece["question"])
        if answer is None:
            return
        if "status" in piece:
            answer.status, answer.headers = piece["status"], piece["headers"]
        answer.body += base64.b64decode(piece["body"])
        answer.is_whole = piece["is_last"]
        answer.came.set()

    def ended(self) -> None:
        """The worker is gone: no answer comes any more."""
        self._has_ended = True
        for answer in self._open.values():
            answer.is_lost = True
            answer.came.set()


def silent(why: Sentence) -> ProxyError:
    """The error for a worker that can't answer."""
    return proxy_errors.ADMIN_WORKER_SILENT(why=why)


async def answer(page: PageRoom | None, question: JsonObject, channel: Channel) -> None:
    """The worker's part: answer what its page is asked for."""
    language = question["language"]
    answered: Response | ProxyError = proxy_errors.ADMIN_NO_SUCH_PATH()
    if page is not None:
        answered = await page.ask(question["what"], question["values"], language)
    if isinstance(answered, ProxyError):
        answered = answered.in_language(language).response()
    body = answered.body
    about: JsonObject = {"status": answered.status, "headers": answered.headers}
    for place in range(0, len(body) or 1, PIECE):
        piece = base64.b64encode(body[place : place + PIECE]).decode()
        await channel.sent()
        is_last = place + PIECE >= len(body)
        told = {"kind": PIECE_OF_ANSWER, "question": question["question"], "body": piece, "is_last": is_last}
        if not channel.send({**told, **about}):
            return  # the supervisor is gone
        about = {}
