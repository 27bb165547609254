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
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.processes import free_port

_START_TIMEOUT = 30.0


class RedisServer:
    """A redis-server on a free port of 127.0.0.1 that keeps nothing on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As in `hunyuan_store`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty; returns when it answers."""
        if self._popen is not None:
            return
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "redis.log").open("ab") as log:
            self._popen = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
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


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running redis-server with nothing in it."""
    program = os.environ.get("HUNYUAN_FIX_REDIS") or shutil.which("redis-server")
    assert program, "no redis-server here: scripts/test installs one, or set HUNYUAN_FIX_REDIS=/path/to/it"
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(program, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
