"""Python programs in forks of a process that has imported what they begin with: most of a mitmdump's start.

`WarmPython` starts this file as that process and gives it orders. It imports what mitmproxy and hunyuan-fix import as
they start, and hunyuan-fix as it stands in the repository. The entry file is executed by each program itself. By night
every program is started by itself (`processes.always_cold`), and so is one that runs another copy of hunyuan-fix.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TextIO

MODULES = (
    *("mitmproxy.tools.main", "mitmproxy.tools.dump", "mitmproxy.addons"),
    *("httpx", "httpcore", "h2.connection", "orjson", "brotli", "zstandard", "cachetools", "limits", "platformdirs"),
    *("ruamel.yaml", "hypercorn.asyncio", "hypercorn.config", "sqlite3", "tomllib"),
    *("hunyuan_fix.hunyuan_fix", "hunyuan_fix.cli.main"),
)
_ENTRY = Path(__file__).resolve().parents[2] / "addon/hunyuan_fix.py"
_READ_EARLY = ("PYTHON", "LANG", "LC_", "TZ", "SSLKEYLOGFILE", "MITMPROXY_")
"""Beginnings of the names of variables that Python or a module reads once, as it starts or is imported."""
_NUMBER = struct.Struct("i")


def can_run(command: Sequence[str]) -> bool:
    """Whether a fork is the same as a start.

    `command` runs this Python, a module of the project or mitmdump, with the repository's own hunyuan-fix if any.
    """
    program, *words = command
    if any(Path(word).name == _ENTRY.name and Path(word).resolve() != _ENTRY for word in words):
        return False
    if Path(program) == Path(sys.executable).with_name("mitmdump"):
        return hasattr(os, "fork")
    words = words[1:] if words[:1] == ["-P"] else words
    return hasattr(os, "fork") and program == sys.executable and words[:1] == ["-m"]


class WarmPython:
    """The process that is forked; it ends with this one."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._folder = folder
        self._control, theirs = socket.socketpair()
        self._one_order = threading.Lock()
        with theirs:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", __file__], cwd=folder, env=self.environment, stdin=theirs.fileno()
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._control.close()
        self._popen.wait(10)

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a program under `environment` would be the same had it started by itself."""

        def early(variables: Mapping[str, str]) -> dict[str, str]:
            return {name: value for name, value in variables.items() if name.startswith(_READ_EARLY)}

        return early(environment) == early(self.environment)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Fork:
        """Run `command` in a fork: its standard output and error are one pipe, its input is empty."""
        output, theirs = os.pipe()
        status, told = os.pipe()
        order = json.dumps([list(command), str(self._folder), dict(environment)]).encode() + b"\n"
        try:
            with self._one_order:
                sent = socket.send_fds(self._control, [order], [theirs, told])
                self._control.sendall(order[sent:])
        finally:
            os.close(theirs)
            os.close(told)
        return Fork(command, output, status)


class Fork:
    """A program in a fork. It has what the tests use of `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], output: int, status: int) -> None:
        self._command = list(command)
        self._status = status
        self._code: int | None = None
        self.stdout: TextIO = open(output, encoding="utf-8", errors="replace")  # noqa: SIM115
        (self.pid,) = _NUMBER.unpack(os.read(status, _NUMBER.size))

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; its exit code, negative for a signal."""
        if self._code is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._command, timeout or 0)
            (self._code,) = _NUMBER.unpack(os.read(self._status, _NUMBER.size))
            os.close(self._status)
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        if self._code is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it (SIGKILL)."""
        self.send_signal(signal.SIGKILL)


# The process that is forked


def _forks() -> list[str]:
    """Fork for each order until there is nobody left to give one. Returns in the forks: the words of the program."""
    control = socket.socket(fileno=os.dup(0))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    handlers = {signal.SIGCHLD: signal.SIG_DFL, signal.SIGINT: signal.getsignal(signal.SIGINT)}
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 1024)
            _tell_of_ended(running)
        if control.fileno() not in ready:
            continue
        order, (output, told), _, _ = socket.recv_fds(control, 1 << 16, 2) or (b"", (), 0, None)
        while order and not order.endswith(b"\n"):
            order += control.recv(1 << 16)
        if not order:
            os._exit(0)
        if pid := os.fork():
            os.close(output)
            running[pid] = told
            os.write(told, _NUMBER.pack(pid))
            continue
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        control.close()
        for descriptor in (woken, wake, told, *running.values()):
            os.close(descriptor)
        words, folder, environment = json.loads(order)
        return _as_started(words, folder, environment, output)


def _tell_of_ended(running: dict[int, int]) -> None:
    """Write the exit code of each that has ended to where it is waited for."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            told = running.pop(ended[0])
            with suppress(BrokenPipeError):  # nobody waits
                os.write(told, _NUMBER.pack(os.waitstatus_to_exitcode(ended[1])))
            os.close(told)


def _as_started(words: list[str], folder: str, environment: dict[str, str], output: int) -> list[str]:
    """Make this process what it would be, had it been started so; `words` without Python and its flag."""
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if words[0] != sys.executable:
        sys.path.insert(0, str(Path(words[0]).parent))
        return words
    if words[1] == "-P":
        return words[2:]
    sys.path.insert(0, folder)
    return words[1:]


if __name__ == "__main__":
    for module in MODULES:
        import_module(module)
    gc.collect()
    gc.freeze()
    program, *given = _forks()
    if program == "-m":
        program, *given = given
        sys.argv = [program, *given]
        if not hasattr(sys.modules.get(program), "__path__"):
            sys.modules.pop(program, None)  # else runpy warns that it was imported by now
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [program, *given]
        if not hasattr(sys.modules.get(program), "__path__"):
            sys.modules.pop(program, None)  # else runpy warns that it was imported by now
        runpy.run_path(program, run_name="__main__")
