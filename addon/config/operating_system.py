"""Everything that differs between operating systems: locks, owners and modes of files, ports, signals.

The rest of this package works on Linux, macOS and Windows alike. `sys.platform` is read at each call, so that tests can
set it.
"""

from __future__ import annotations

import locale
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def is_windows() -> bool:
    """Whether this is Windows."""
    return sys.platform == "win32"


def is_macos() -> bool:
    """Whether this is macOS."""
    return sys.platform == "darwin"


def locale_name() -> str:
    """The name of the user's locale where the system keeps it elsewhere than in the environment, as Windows does."""
    return (locale.getlocale()[0] or "") if is_windows() else ""


# Files


def lock(descriptor: int) -> bool:
    """Lock an open file for this process without waiting. Returns whether that worked; closing the file unlocks it.

    On Windows the file must not be a folder. Raises `OSError` for a file system that has no locks.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only on Windows

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_without_waiting(path: str, flags: int, mode: int = 0o600) -> int:
    """An `opener` for `open` that doesn't block: POSIX systems would wait for a writer if `path` is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), mode)


def wrong_owner(status: os.stat_result) -> int | None:
    """The user ID that a private file should have, if another user but root owns it; else `None`.

    On Windows the status of a file has no owner: `None`.
    """
    if is_windows() or status.st_uid in (os.geteuid(), 0):
        return None
    return os.geteuid()


def open_to_others(status: os.stat_result) -> bool:
    """Whether other users may read, change or run the file by its mode.

    The group may read a file of root's: so Kubernetes and systemd hand a secret to a process that isn't root, and so a
    person can (`chown root:GROUP`, mode 0640). Root itself needs no group for that. On Windows access control lists say
    who may, and the mode is made up: `False`.
    """
    if is_windows():
        return False
    handed_over = stat.S_IRGRP if status.st_uid == 0 and os.geteuid() != 0 else 0
    return bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~handed_over)


def roots_of_windows() -> list[bytes]:
    """The root certificates (DER) that the user of this Windows trusts; none on other systems."""
    if sys.platform == "win32":
        return [certificate for certificate, _, _ in ssl.enum_certificates("ROOT")]
    return []


def keep_owner(made: Path, before: Path) -> None:
    """Give the new file `made` the owner and group of the file `before`, which it will replace, if that exists.

    So a file that root changes still belongs to its user. On Windows a new file has the owner of its folder. Raises
    `OSError`.
    """
    if is_windows() or not before.exists():
        return
    owner, own = before.stat(), made.stat()
    if (owner.st_uid, owner.st_gid) != (own.st_uid, own.st_gid):
        os.chown(made, owner.st_uid, owner.st_gid)


# Ports and processes


def bind_as_servers_do(probe: socket.socket) -> None:
    """Let `probe` bind a port under the same conditions as asyncio's servers.

    On Windows SO_REUSEADDR would let it take a port that another program listens on
    (https://learn.microsoft.com/windows/win32/winsock/using-so-reuseaddr-and-so-exclusiveaddruse).
    """
    if is_windows():
        # -5 is ~SO_REUSEADDR, which the header of Windows defines it as; other systems have no such name.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", -5)
        probe.setsockopt(socket.SOL_SOCKET, exclusive, 1)
    else:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def process_exists(pid: int) -> bool:
    """Whether a process with this ID runs, of whatever user."""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - `windll` is only on Windows

        # os.kill(pid, 0) would end the process there. The right to wait for its end is enough to see that it runs.
        kernel = ctypes.windll.kernel32
        synchronize, timed_out = 0x100000, 0x102
        if not (handle := kernel.OpenProcess(synchronize, 0, pid)):
            return False
        try:
            return bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
        finally:
            kernel.CloseHandle(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def listener_command(port: int) -> str:
    """The command that names the program which listens on `port`."""
    return f"netstat -ano | findstr :{port}" if is_windows() else f"lsof -i :{port}"


def end_when_output_is_closed() -> None:
    """Let `COMMAND | head` end this process silently, as it ends other programs. Windows has no such signal."""
    if not is_windows():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def end_as_interrupted() -> int:
    """End this process as Ctrl-C ends other programs, without a word; on Windows, return the exit status for that."""
    if not is_windows():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    return 130  # of shells for SIGINT


def hang_up_as_terminated() -> None:
    """Let a terminal that is closed end this process as SIGTERM does, with what is left to tidy up.

    Under `nohup` it goes on. Windows has no such signal.
    """
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) == signal.SIG_DFL:
        signal.signal(hang_up, lambda *_: signal.raise_signal(signal.SIGTERM))


def has_terminal() -> bool:
    """Whether this process has a terminal, wherever its input and output go. One that was closed is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def usable_cpus() -> int:
    """How many processors this process may use: those that it may run on, and what a container's limit leaves."""
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        quota, period = _CPU_LIMIT.read_text("ascii").split()
        limit = max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no such file, no limit ("max")
        return usable
    return min(usable, limit)


_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Of the container, by version 2 of Linux's control groups."""


def handle_signals(*, end: Callable[[], None], hang_up: Callable[[], None]) -> Callable[[], None]:
    """Let signals call these on the running event loop: SIGTERM and SIGINT `end`, SIGHUP `hang_up`, unless `nohup` has
    switched that off. Returns what undoes it. Windows has no event loop that could: nothing happens.
    """
    if is_windows():
        return lambda: None
    import asyncio  # noqa: PLC0415 - it takes a while, and this file is loaded by every command

    loop = asyncio.get_running_loop()
    handled = {signal.SIGTERM: end, signal.SIGINT: end}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        handled[signal.SIGHUP] = hang_up
    for number, handle in handled.items():
        loop.add_signal_handler(number, handle)

    def undo() -> None:
        for number in handled:
            loop.remove_signal_handler(number)

    return undo


# A process that this one runs in the foreground, for the user


def signals_to_pass_on() -> tuple[signal.Signals, ...]:
    """The signals that ask a process to end, or that it gives a meaning of its own; those that this system has."""
    names = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
    return tuple(signal.Signals[name] for name in names if name in signal.Signals.__members__)


def reaches_children_too(number: int) -> bool:
    """Whether the signal `number`, which this process got, has very likely reached the processes that it runs too.

    A terminal sends Ctrl-C (SIGINT, SIGBREAK) and Ctrl-\\ (SIGQUIT) to every process in the foreground. A `kill` of
    this process alone looks the same while it is in the foreground.
    """
    if sys.platform == "win32":
        return True
    if number not in (signal.SIGINT, signal.SIGQUIT):
        return False
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # there is no terminal
        return False


def out_of_the_terminals_reach() -> dict[str, Any]:
    """Arguments of `subprocess.Popen` for a process that the terminal's Ctrl-C must not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
