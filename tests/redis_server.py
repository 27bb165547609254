"""A real redis-server for the tests, one for each test that asks for it.

Without the program these tests fail: `scripts/test` finds or installs it (scripts/lib/redis.sh).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.lib.processes import free_port

_START_TIMEOUT = 30.0


class RedisServer:
    """A redis-server on a free port of 127.0.0.1 that keeps nothing on disk. `arguments`: further ones for it."""

    def __init__(self, program: str, folder: Path, *arguments: str) -> None:
        self._program = program
        self._folder = folder
        self._arguments = arguments
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As in `hunyuan_store`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def _command(self) -> list[str]:
        at = ["--port", str(self.port), "--bind", "127.0.0.1"]
        kept = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
        return [self._program, *at, *kept, *self._arguments]

    def start(self) -> None:
        """Start it, empty; returns when it answers."""
        if self._popen is not None:
            return
        with (self._folder / "redis.log").open("ab") as log:
            self._popen = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers():
            assert self._popen.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < deadline, "redis-server doesn't answer"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it at once; what it holds is lost."""
        if self._popen is not None:
            self.resume()
            self._popen.kill()
            self._popen.wait()
            self._popen = None

    def pause(self) -> None:
        """Let it hang: connections are taken, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None:
            self._popen.send_signal(number)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


class SentinelServer(RedisServer):
    """A Sentinel that watches the master `main` and promotes a replica half a second after it is gone."""

    def __init__(self, program: str, folder: Path, master: int) -> None:
        super().__init__(program, folder)
        self._configuration = folder / f"sentinel-{self.port}.conf"
        self._configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master} 1\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n"
        )

    @property
    def _command(self) -> list[str]:
        return [self._program, str(self._configuration), "--sentinel"]


def redis_program() -> str:
    """The program. Fails the test, with what to do, where there is none."""
    program = os.environ.get("HUNYUAN_FIX_REDIS") or shutil.which("redis-server")
    assert program, "no redis-server here: scripts/test installs one, or set HUNYUAN_FIX_REDIS=/path/to/it"
    return program


type Started = Callable[..., RedisServer]


@pytest.fixture
def redis_servers(tmp_path: Path) -> Iterator[Started]:
    """Starts further servers: `start(*arguments)`, or `start(sentinel_of=PORT)`. All are ended with the test."""
    servers: list[RedisServer] = []

    def start(*arguments: str, sentinel_of: int = 0) -> RedisServer:
        folder = tmp_path / f"redis-{len(servers)}"
        folder.mkdir()
        program = redis_program()
        made = SentinelServer(program, folder, sentinel_of) if sentinel_of else RedisServer(program, folder, *arguments)
        servers.append(made)
        made.start()
        return made

    try:
        yield start
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running redis-server with nothing in it."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(redis_program(), folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
