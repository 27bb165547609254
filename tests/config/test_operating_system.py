"""Each thing that differs between systems, on this one and on one that is put in its place."""

from __future__ import annotations

import ast
import ctypes
import multiprocessing
import os
import signal
import socket
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from hunyuan_fix.access.secret_files import SecretFile, SecretFileError
from hunyuan_fix.cli import addresses, banner, launch, shells
from hunyuan_fix.cli.doctor import authority as doctor_authority
from hunyuan_fix.cli.doctor import connections
from hunyuan_fix.cli.doctor.listeners import Listener
from hunyuan_fix.config import operating_system
from hunyuan_fix.hooks import authority
from hunyuan_fix.hooks.mitmproxy_internals import ports
from hunyuan_fix.stores import sqlite_file
from tests.cli.doctor.situations import at


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch, windows: None) -> set[int]:
    """Inodes that another process has locked, as msvcrt sees it."""
    others: set[int] = set()

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        if os.fstat(descriptor).st_ino in others:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    return others


# Locks


def hold(path: Path, ready: multiprocessing.Event, done: multiprocessing.Event) -> None:  # type: ignore[valid-type]
    with path.open("ab") as file:
        assert operating_system.lock(file.fileno())
        ready.set()  # type: ignore[attr-defined]
        done.wait(60)  # type: ignore[attr-defined]


def test_a_lock_keeps_another_process_out_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(path, ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with path.open("ab") as file:
            assert not operating_system.lock(file.fileno())
            done.set()
            other.join(60)
            assert operating_system.lock(file.fileno())
    finally:
        done.set()
        other.join(60)


def test_a_lock_on_windows_is_msvcrts(tmp_path: Path, locked: set[int]) -> None:
    with (tmp_path / "lock").open("ab") as file:
        assert operating_system.lock(file.fileno())
        locked.add(os.fstat(file.fileno()).st_ino)
        assert not operating_system.lock(file.fileno())


def test_on_windows_the_ca_waits_for_the_lock_too(
    tmp_path: Path, locked: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "hunyuan-fix-ca.lock"
    lock.touch()
    locked.add(lock.stat().st_ino)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        locked.clear()

    monkeypatch.setattr("hunyuan_fix.hooks.authority.time.sleep", sleep)
    authority.ensure(tmp_path)
    assert len(waits) == 1
    assert authority.ca_file(tmp_path).exists()


def test_on_windows_a_store_opens_without_locking_its_folder(tmp_path: Path, windows: None) -> None:
    """msvcrt isn't there: a lock would raise ImportError."""
    path = tmp_path / "store.sqlite"
    connection = sqlite_file.connect(path, sqlite_file.STORE)
    sqlite_file.close(connection, path)
    assert path.exists()


# Owners and modes


def status(mode: int, owner: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "wrong", "to_others"),
    [
        (0o600, 0, False, False),
        (0o600, os.geteuid(), False, False),
        (0o600, os.geteuid() + 1, True, False),
        (0o640, os.geteuid(), False, True),
        (0o604, 0, False, True),
        (0o700, 0, False, False),
    ],
)
def test_owner_and_mode(monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, wrong: bool, to_others: bool) -> None:
    seen = status(mode, owner)
    assert operating_system.wrong_owner(seen) == (os.geteuid() if wrong else None)
    assert operating_system.open_to_others(seen) is to_others
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "geteuid")  # as there
    assert operating_system.wrong_owner(seen) is None
    assert not operating_system.open_to_others(seen)


@pytest.mark.parametrize(
    ("mode", "owner", "user", "to_others"),
    [
        (0o440, 0, 10001, False),
        (0o640, 0, 10001, False),
        (0o660, 0, 10001, True),
        (0o650, 0, 10001, True),
        (0o444, 0, 10001, True),
        (0o640, 10001, 10001, True),
        (0o640, 0, 0, True),
    ],
)
def test_roots_file_may_be_handed_to_a_group(
    monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, user: int, to_others: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert operating_system.open_to_others(status(mode, owner)) is to_others


def test_a_secret_file_that_others_can_read_is_taken_on_windows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text("secret")
    path.chmod(0o644)
    with pytest.raises(SecretFileError, match="chmod 600"):
        SecretFile(path, str)
    monkeypatch.setattr(sys, "platform", "win32")
    assert SecretFile(path, str).content == "secret"


def test_the_doctor_finds_a_key_that_others_can_read_where_modes_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.ensure(tmp_path)
    authority.key_file(tmp_path).chmod(0o640)
    found = doctor_authority.usable(at(tmp_path))
    assert found
    assert "chmod 600" in found.advice
    monkeypatch.setattr(sys, "platform", "win32")
    found = doctor_authority.usable(at(tmp_path))
    assert found
    assert found.result == "ok"


def test_a_pipe_without_a_writer_is_opened_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    os.close(operating_system.open_without_waiting(str(pipe), os.O_RDONLY))
    (tmp_path / "file").touch()
    monkeypatch.delattr(os, "O_NONBLOCK")
    os.close(operating_system.open_without_waiting(str(tmp_path / "file"), os.O_RDONLY))


def test_a_replaced_file_keeps_its_owner_where_files_have_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, before = tmp_path / "made", tmp_path / "before"
    made.touch()
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(os, "chown", lambda *arguments: given.append(arguments))
    operating_system.keep_owner(made, before)  # there is none
    before.touch()
    operating_system.keep_owner(made, before)  # the same
    assert given == []
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **more: status(0o600, 77) if path == before else real(path, **more))
    operating_system.keep_owner(made, before)
    assert given == [(made, 77, 0)]
    monkeypatch.setattr(sys, "platform", "win32")
    operating_system.keep_owner(made, before)
    assert len(given) == 1


# Ports and processes


class Probe:
    """A socket that writes down what is set."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options.append((level, name, value))


def test_a_port_in_use_is_not_taken_for_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((addresses.HOST, 0)) as taken:
        assert not addresses.port_is_free(taken.getsockname()[1])
    probes = Probe(), Probe()
    operating_system.bind_as_servers_do(probes[0])  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "platform", "win32")
    operating_system.bind_as_servers_do(probes[1])  # type: ignore[arg-type]
    assert probes[0].options == [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
    assert probes[1].options == [(socket.SOL_SOCKET, -5, 1)]


def test_the_doctor_says_how_to_find_who_has_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = at(tmp_path)
    object.__setattr__(situation, "proxy", Listener.OTHER)
    assert "lsof -i :8080" in connections.proxy_port(situation).advice
    monkeypatch.setattr(sys, "platform", "win32")
    assert "netstat -ano | findstr :8080" in connections.proxy_port(situation).advice


def test_a_closed_output_ends_a_program_without_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from hunyuan_fix.config.operating_system import end_when_output_is_closed as end; end()\n"
        "for _ in range(10**6): print('line')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stderr
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(60) == -signal.SIGPIPE
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(signal, "SIGPIPE")  # as there
    operating_system.end_when_output_is_closed()


def test_connections_that_wait_are_accepted_but_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """There asyncio has begun to accept already."""

    class Listening:
        duplicated = 0

        def dup(self) -> socket.socket:
            self.duplicated += 1
            return socket.socket()

    class Server(ports.asyncio.Server):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            pass

        sockets = (Listening(),)

    accepted: list[socket.socket] = []
    monkeypatch.setattr(ports, "_accept", lambda port, _: accepted.append(port))
    instance = types.SimpleNamespace(_servers=[Server()], handle_stream=None)
    proxyserver = types.SimpleNamespace(servers=[instance])
    ports.accept_all(proxyserver)  # type: ignore[arg-type]
    assert len(accepted) == 1
    monkeypatch.setattr(sys, "platform", "win32")
    ports.accept_all(proxyserver)  # type: ignore[arg-type]
    assert len(accepted) == 1


# What the commands say


@pytest.mark.parametrize(
    ("platform", "shell", "name"),
    [("linux", "", "sh"), ("darwin", "", "sh"), ("win32", "", "powershell"), ("win32", "/usr/bin/bash.exe", "bash")],
)
def test_the_shell_of_a_system(monkeypatch: pytest.MonkeyPatch, platform: str, shell: str, name: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert shells.detected({"SHELL": shell} if shell else {}) == name


@pytest.mark.parametrize(
    ("platform", "shell", "said"),
    [
        ("linux", "", 'eval "$(hunyuan-fix env)"'),
        ("linux", "/usr/bin/fish", "hunyuan-fix env | source"),
        ("darwin", "/bin/zsh", 'eval "$(hunyuan-fix env)"'),
        ("win32", "", "in PowerShell hunyuan-fix env | Out-String | Invoke-Expression, in cmd for /f"),
        ("win32", "/usr/bin/bash", 'eval "$(hunyuan-fix env)"'),
    ],
)
def test_what_run_prints_can_be_pasted(monkeypatch: pytest.MonkeyPatch, platform: str, shell: str, said: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("SHELL", shell)
    second = banner.instructions(launch.parse([], "hunyuan-fix "), "https://x/v1", "1").splitlines()[3]
    assert second.startswith("2. ")
    assert said in second


def test_the_base_url_is_where_it_listens() -> None:
    said = banner.instructions(launch.parse(["--host", "10.0.0.9"], "hunyuan-fix "), "", "1")
    assert "http://10.0.0.9:4000/v1" in said
    assert "http://ADDRESS-OF-THIS-MACHINE:4000/v1" in said


def test_the_lines_for_cmd() -> None:
    cmd = shells.SHELLS["cmd"]
    assert cmd.export("A", "C:\\Program Files\\100%") == 'set "A=C:\\Program Files\\100%"'
    assert cmd.copy("A", "B") == 'call set "A=%B%"'
    assert cmd.unset("A") == 'set "A="'
    assert cmd.activation("x env") == "for /f \"delims=\" %i in ('x env') do @%i"


def test_windows_roots_are_none_of_other_systems() -> None:
    assert operating_system.roots_of_windows() == []


# A process that this one runs in the foreground


def test_the_signals_that_are_passed_on_are_those_that_ask_something() -> None:
    names = {each.name for each in operating_system.signals_to_pass_on()}
    assert {"SIGINT", "SIGTERM", "SIGHUP"} <= names
    assert not names & {"SIGKILL", "SIGSTOP", "SIGCHLD", "SIGTSTP", "SIGCONT", "SIGPIPE"}


IN_TERMINAL = """
import os, signal, sys
from hunyuan_fix.config.operating_system import reaches_children_too as reaches
if "background" in sys.argv:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os.setpgid(0, 0)
print(*(reaches(each) for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)))
"""


@pytest.mark.parametrize(
    ("place", "answers"), [("foreground", "True True False False"), ("background", "False False False False")]
)
def test_what_a_terminal_sends_reaches_children_of_the_foreground_too(place: str, answers: str) -> None:
    terminal = f"import pty, sys; pty.spawn([sys.executable, '-c', {IN_TERMINAL!r}, {place!r}])"
    done = subprocess.run([sys.executable, "-c", terminal], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert done.stdout.decode().strip() == answers


def test_without_a_terminal_a_signal_reaches_this_process_alone() -> None:
    done = subprocess.run([sys.executable, "-c", IN_TERMINAL], start_new_session=True, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "False False False False"


def test_on_windows_the_console_sends_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert operating_system.reaches_children_too(signal.SIGINT)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    assert operating_system.out_of_the_terminals_reach() == {"creationflags": 512}


# Without the modules that Windows lacks

IMPORT_ALL = """
import importlib, importlib.abc, pkgutil, sys
import hunyuan_fix

def modules():
    import hunyuan_fix.simulator  # in a clone its folder is another's
    names = set()
    for package in (hunyuan_fix, hunyuan_fix.simulator):
        names |= {name for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")}
    return sorted(name for name in names if not name.endswith("__main__"))

# First as on this system: what others wrote is then there, with what it needs.
for name in modules():
    importlib.import_module(name)

class Lacking(importlib.abc.MetaPathFinder):
    names = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog", "posix", "readline"}
    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(name)

own = [name for name in sys.modules if name.split(".")[0] == "hunyuan_fix"]
for name in [*own, *Lacking.names]:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Lacking())
sys.platform = "win32"
for name in ("geteuid", "getuid", "getgid", "chown", "fork", "mkfifo", "O_NONBLOCK"):
    delattr(__import__("os"), name)
for name in ("SIGPIPE", "SIGHUP", "SIGKILL"):
    delattr(__import__("signal"), name)
again = modules()
for name in again:
    importlib.import_module(name)
print(len(again), *sorted(again))
"""


def test_every_module_can_be_imported_on_windows() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", IMPORT_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, *names = done.stdout.split()
    assert int(count) > 100
    expected = ("hunyuan_fix", "cli.run", "cli.lint.command", "simulator.server", "stores.sqlite_file", "hooks.detour")
    for name in expected:
        assert f"hunyuan_fix.{name}" in names


MODULES = "fcntl resource pwd grp termios pty msvcrt"
NAMES = {
    "os": "chown fchmod fork getuid geteuid getgid kill killpg execv execve mkfifo umask name",
    "signal": "SIGPIPE SIGHUP SIGKILL SIGUSR1 SIGCHLD alarm pause",
    "socket": "AF_UNIX SO_REUSEADDR SO_REUSEPORT",
    "sys": "platform",
}
POSIX_ONLY = frozenset(
    [f"{module}.{name}" for module, names in NAMES.items() for name in names.split()]
    + [*MODULES.split(), "add_signal_handler", "start_unix_server"]
)


def used(path: Path) -> set[str]:
    """Modules and attributes (`os.chown`, `chown`) that the file names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            names |= {node.attr, f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else ""}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_what_only_some_systems_have_stands_in_one_file() -> None:
    addon = Path(operating_system.__file__).parents[1]
    files = [*addon.rglob("*.py"), *(addon.parent / "simulator").rglob("*.py")]
    found = {path.name: used(path) & POSIX_ONLY for path in files}
    assert found.pop("operating_system.py")
    assert {name: names for name, names in found.items() if names} == {}


# Processes


def test_whether_a_process_runs() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        assert operating_system.process_exists(running.pid)
        running.communicate(b"\n")
    assert not operating_system.process_exists(running.pid)


@pytest.mark.parametrize(
    ("handle", "waited", "runs"), [(7, 0x102, True), (7, 0, False), (0, 0x102, False)], ids=["runs", "ended", "none"]
)
def test_whether_a_process_of_windows_runs(
    monkeypatch: pytest.MonkeyPatch, windows: None, handle: int, waited: int, runs: bool
) -> None:
    """`os.kill(pid, 0)`, which asks on other systems, would end it there."""
    closed: list[int] = []
    kernel = types.SimpleNamespace(
        OpenProcess=lambda access, inherit, pid: handle if (access, inherit, pid) == (0x100000, 0, 42) else 0,
        WaitForSingleObject=lambda given, milliseconds: waited,
        CloseHandle=closed.append,
    )
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it would be ended"))
    assert operating_system.process_exists(42) == runs
    assert closed == ([handle] if handle else [])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("before", "ends"), [("SIG_DFL", True), ("SIG_IGN", False)])
def test_a_closed_terminal_ends_a_process_as_sigterm_does_but_not_under_nohup(before: str, ends: bool) -> None:
    script = (
        "import signal, sys; from hunyuan_fix.config import operating_system\n"
        f"signal.signal(signal.SIGHUP, signal.{before})\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('tidied up'))\n"
        "operating_system.hang_up_as_terminated()\n"
        "signal.raise_signal(signal.SIGHUP)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == ((1, "tidied up\n") if ends else (0, ""))


@pytest.mark.parametrize(
    ("limit", "usable"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", 8), ("900000 100000", 8), ("", 8)],
)
def test_a_containers_limit_counts_among_the_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, usable: int
) -> None:
    file = tmp_path / "cpu.max"
    if limit:
        file.write_text(f"{limit}\n")
    monkeypatch.setattr(operating_system, "_CPU_LIMIT", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert operating_system.usable_cpus() == usable
