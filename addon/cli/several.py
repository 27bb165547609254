"""`hunyuan-fix run --workers N`: this process opens the ports, starts N workers and answers for all of them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from typing import BinaryIO

from ..config.option import OptionError
from ..config.worker_place import WorkerPlace
from ..exchange import JsonObject
from ..supervisor.observed import Observed
from ..supervisor.supervisor import Supervisor
from ..supervisor.worker import python
from ..texts.terminal import say
from ..wire.host_names import reached_at
from . import kimi
from .key_check import KeyCheck
from .launch import Launch, WorkerCall
from .main import IN_CLONE
from .started import Serving, Started

_WAITING = 1024
"""Connections that may wait on a port until a worker accepts them; the system may have a lower bound."""


def run_workers(launch: Launch, arguments: Sequence[str], moved: Sequence[str], turn: BinaryIO | None) -> int:
    """Run the workers that `launch` asks for until a signal ends them; returns the exit status.

    `arguments`: of the command line, which each worker gets. `moved`: lines for the user about other ports than the
    usual ones.
    """
    assert launch.workers is not None  # noqa: S101 - it is what this is for
    wanted = [launch.reverse_port] if launch.kimi is not None else [launch.port, launch.reverse_port]
    ports = [_opened(launch.host, port) for port in wanted]
    for line in moved:
        print(line, file=sys.stderr, flush=True)
    own = Several(launch, arguments, ports, turn)
    try:
        return asyncio.run(own.run())
    finally:
        own.started.ended()


def _opened(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_WAITING)
    except OSError as error:
        why = error.strerror or type(error).__name__
        sys.exit(say("Port {port} on {host} can't be opened: {why}", port=port, host=host, why=why))


class Several:
    """The workers that `launch` asks for, and what is said of them."""

    def __init__(
        self, launch: Launch, arguments: Sequence[str], ports: Sequence[socket.socket], turn: BinaryIO | None
    ) -> None:
        self._launch = launch
        self._arguments = arguments
        self._ports = ports
        self._count = launch.workers or 1
        about_key = "" if launch.kimi is None else kimi.take_key(dict(os.environ))
        self.started = Started(launch, about_key, sys.stdout, turn)
        self._serving: Serving | None = None
        self._greeted = False
        self._supervisor = Supervisor(self._count, self._command, ports, changed=self._changed)
        wanted = {"reverse": launch.reverse_port} | ({} if launch.kimi else {"regular": launch.port})
        listens = [(mode, reached_at(launch.host, port)) for mode, port in wanted.items()]
        self._observed = Observed(self._supervisor, sys.stderr if launch.json else sys.stdout, listens)
        self._supervisor.ending = self._observed.drain

    async def run(self) -> int:
        """Run them; returns the exit status."""
        try:
            return await self._supervisor.run(self._begin)
        except OptionError as error:
            print(error, file=sys.stderr, flush=True)
            return 1
        finally:
            await self._observed.aclose()

    def _command(self, place: int, channel: int) -> list[str]:
        launch = self._launch
        call = WorkerCall(WorkerPlace(place, self._count), channel, tuple(port.fileno() for port in self._ports))
        fixed = ["--host", launch.host]
        if launch.kimi is None:
            fixed += ["--port", str(launch.port), "--reverse-port", str(launch.reverse_port)]
        in_clone = [IN_CLONE] if launch.prefix == "scripts/" else []
        return python(*in_clone, "run", *fixed, "--worker", str(call), *self._arguments)

    async def _begin(self) -> None:
        """All workers serve clients."""
        serving = self._serving
        assert serving is not None  # noqa: S101 - each has said so
        self._observed.start()
        self.started.greet(serving, self._observed.admin)
        self._greeted = True
        if not self._launch.json:
            for line in self._about_workers():
                print(line, flush=True)
        key = await self._supervisor.check_key()
        if key:
            checked = KeyCheck(key["result"], key["said"], key["models"])
            self.started.conclude(serving, self._observed.admin, checked, key["hint"])

    def _about_workers(self) -> list[str]:
        lines = [say("Workers: {count}. SIGHUP replaces them one by one, without an error.", count=self._count)]
        if self._count > 1 and not self._observed.has_redis:
            lines.append(
                say(
                    "Without Redis each worker counts for itself: limits a minute, circuit breaker, agents that go "
                    "round in circles; of an account's slots each has its part. hunyuan_store=redis://HOST:6379/0 "
                    "shares limits and slots."
                )
            )
        if self._count > 1 and not self._observed.has_store:
            lines.append(
                say(
                    "With hunyuan_store=memory nothing is shared: each worker describes images for itself, and knows "
                    "only the answers that went through it."
                )
            )
        return lines

    def _changed(self, about: JsonObject) -> None:
        self._observed.configure(about)
        self._serving = Serving(**about["serving"])
        if self._greeted:
            self.started.keep(self._serving, self._observed.admin)
