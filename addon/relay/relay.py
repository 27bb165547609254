"""The relay: takes jobs, and answers each request that has the secret of one."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from ..texts.terminal import say
from ..upstream.client import HttpClient
from ..upstream.gate import Gate
from ..upstream.server_clock import ServerClocks
from ..upstream.timing import Timing
from ..wire import proxy_errors, safe_text
from ..workers import Workers
from . import failures
from .call import Call
from .job import AnswerBroken, Client, ClientLeft, Headers, Job
from .rounds import Rounds
from .tries import Counts, Tools

if TYPE_CHECKING:
    from .server import Server

logger = logging.getLogger("hunyuan_fix")


class Relay:
    """Relays calls through `http_client` and `gate`. Large answers are checked by `workers`."""

    def __init__(
        self,
        http_client: HttpClient,
        gate: Gate,
        workers: Workers | None = None,
        timing: Timing | None = None,
        clocks: ServerClocks | None = None,
    ) -> None:
        self._http_client = http_client
        self._gate = gate
        self._workers = workers or Workers()
        self._timing = timing or Timing()
        self.clocks = clocks or ServerClocks()
        self._server: Server | None = None
        self._jobs: dict[str, Job] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._cutting = False
        self.counts = Counts()

    @property
    def port(self) -> int:
        """The port on loopback; 0 before `start`."""
        return self._server.port if self._server is not None else 0

    @property
    def expected(self) -> int:
        """The number of jobs whose request hasn't come yet."""
        return len(self._jobs)

    @property
    def under_way(self) -> int:
        """The number of calls that aren't answered yet."""
        return len(self._calls)

    async def start(self) -> None:
        """Listen on a free port of loopback. Does nothing if it listens already."""
        if self._server is None:
            from .server import Server  # noqa: PLC0415 - tornado is loaded for the first call that goes here

            self._server = Server(self)

    def take(self, job: Job) -> str:
        """Keep `job` for one request. Returns the secret that this request must have."""
        secret = secrets.token_hex(32)
        self._jobs[secret] = job
        return secret

    def forget(self, secret: str) -> None:
        """Refuse a request with `secret` from now on, if none has come yet."""
        self._jobs.pop(secret, None)

    async def cut(self) -> int:
        """End every call because the process ends. Returns how many calls there were.

        A call without an answer gets an error; a stream that has begun gets an error event and a proper end. The last
        bytes are written by then, but perhaps not sent yet.
        """
        self._cutting = True
        self._jobs.clear()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        self._cutting = False
        return len(calls)

    async def aclose(self) -> None:
        """Stop listening and end every call as `cut` does."""
        server, self._server = self._server, None
        if server is None:
            return
        server.stop()
        await self.cut()
        await server.close_connections()

    def claim(self, secret: str) -> Job | None:
        """The job that belongs to `secret`, once; `None`: there is none."""
        # The lookup doesn't take constant time, but 256 random bits that hold for one request can't be guessed.
        job = self._jobs.pop(secret, None)
        if job is not None:
            job.progress.on_claim()
        return job

    def answer(self, job: Job, headers: Headers, body: bytes, client: Client) -> asyncio.Task[None]:
        """Begin to answer `client`. Cancelling the task ends the call."""
        task = asyncio.create_task(self._answer(job, headers, body, client), name="hunyuan-fix relays")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return task

    async def _answer(self, job: Job, headers: Headers, body: bytes, client: Client) -> None:
        kind = Call if job.rounds is None else Rounds
        call = kind(
            job,
            headers,
            body,
            client=client,
            tools=Tools(self._http_client, self._gate, self.counts, self._workers, self._timing, self.clocks),
        )
        try:
            response = await call.run()
            if response is not None:
                client.send(response)
            else:
                client.end()
        except AnswerBroken:
            self.counts.broken += 1
            client.drop()
        except (ClientLeft, asyncio.CancelledError) as ended:
            self.counts.abandoned += 1
            if not (isinstance(ended, asyncio.CancelledError) and self._cutting):
                client.drop()
            elif client.begun:
                client.end(call.cut(proxy_errors.STOPPED_IN_STREAM().in_language(job.language).body()))
            else:
                client.send(failures.own(proxy_errors.STOPPED(), job.language))
        except Exception as error:
            said = say("A call could not be relayed:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            if client.begun:
                client.drop()
            else:
                client.send(failures.own(proxy_errors.PROXY_FAILED_IN_RELAY(), job.language))
