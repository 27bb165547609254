"""One worker as the supervisor sees it: a process, its channel, and what it has said."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from ..config import operating_system
from ..exchange import JsonObject
from .channel import Channel
from .questions import PIECE_OF_ANSWER, Questions


class Worker:
    """A worker. `place`: which of all it is, from 1 on; `number`: its own, which no other process has.

    `hear` gets each message of it that isn't an answer.
    """

    def __init__(self, place: int, number: int, hear: Callable[[Worker, JsonObject], None]) -> None:
        self.place = place
        self.number = number
        self.started = time.time()
        self.ready_since: float | None = None
        """Unix time from which on it has served clients; `None`: it hasn't yet."""
        self.about: JsonObject = {}
        """What it has said of itself as it began to serve, or since."""
        self.snapshot: JsonObject = {}
        """Its last one."""
        self.is_leaving = False
        """It was told to end."""
        self.ended = asyncio.Event()
        """Its process is gone, and what it had said is heard."""
        self.changed = asyncio.Event()
        """It is ready, or has ended."""
        self.returncode: int | None = None
        self.unanswered_since: float | None = None
        """Since when (monotonic) a question has no answer."""
        self.questions = Questions(self._give)
        """What the page asks it for."""
        self._hear = hear
        self._channel: Channel | None = None
        self._gone = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._asked = 0
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid if self._process else 0

    @property
    def is_ready(self) -> bool:
        """Whether clients may be served by it: it has begun, was not told to end, and its checks allow it."""
        return self.serves and not self.snapshot.get("not_ready")

    @property
    def serves(self) -> bool:
        """Whether it serves new clients."""
        return self.ready_since is not None and not self.is_leaving and not self.ended.is_set()

    async def start(self, command: Callable[[int], Sequence[str]], ports: Sequence[int]) -> None:
        """Start it. `command`: the descriptor of its end of the channel -> its command line. Raises `OSError`."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            try:
                self._channel = await Channel.over(ours, self._take, self._gone.set)
                self._process = await asyncio.create_subprocess_exec(
                    *command(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno(), *ports],
                    **operating_system.out_of_the_terminals_reach(),
                )
            except BaseException:
                ours.close()
                raise
        self._watch = asyncio.create_task(self._until_ended(), name=f"hunyuan-fix worker {self.place}")

    async def _until_ended(self) -> None:
        assert self._process is not None  # noqa: S101 - it has been started
        self.returncode = await self._process.wait()
        # What it has said last may still be on its way; a child of its own may hold the channel open.
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._gone.wait()
        self._settle()
        self.questions.ended()
        self.ended.set()
        self.changed.set()

    def _give(self, message: JsonObject) -> bool:
        return self._channel is not None and self.ready_since is not None and self._channel.send(message)

    def send(self, kind: str) -> None:
        """Ask for something that is answered when it may be."""
        if self._channel is not None:
            self._channel.send({"kind": kind})

    async def ask(self) -> None:
        """Ask for a snapshot, and wait for it. It may never come: wait with a deadline."""
        if self._channel is None or self.ready_since is None or self.ended.is_set():
            return
        self._asked = number = self._asked + 1
        if not self._channel.send({"kind": "snapshot", "number": number}):
            return
        if self.unanswered_since is None:
            self.unanswered_since = time.monotonic()
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await answer
        finally:
            self._answers.pop(number, None)

    def end(self, kind: Literal["end", "end now"] = "end") -> None:
        """Let its process end in peace, or cut what is under way.

        By the channel: a service manager may send its signal to all processes, and a second one would cut.
        """
        self.is_leaving = True
        if self.ready_since is not None:
            self.send(kind)
        elif self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """End its process, whatever it does."""
        self.is_leaving = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def _take(self, message: JsonObject) -> None:
        match message.get("kind"):
            case "ready":
                self.ready_since = time.time()
                self.about = message
                self.changed.set()
            case "changed":
                self.about = message
            case "snapshot":
                self.snapshot = message
                self.unanswered_since = None
            case kind if kind == PIECE_OF_ANSWER:
                self.questions.take(message)
                return
        self._hear(self, message)
        if "number" in message:
            self._settle(message["number"])

    def _settle(self, number: Any = None) -> None:
        """The question `number`, or any, has its answer."""
        for asked, answer in list(self._answers.items()):
            if (number is None or asked == number) and not answer.done():
                answer.set_result(None)


def python(*arguments: str) -> list[str]:
    """A command line of this program, in a new process."""
    return [sys.executable, "-P", "-m", "hunyuan_fix.cli.main", *arguments]
