"""Real processes for the tests: the simulator and mitmdump with the addon, each on ports of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import trustme

from hunyuan_fix.config.environment import variable
from hunyuan_fix.options import OPTIONS
from scripts.lib.processes import free_port
from tests.end_to_end.warm import Fork, WarmPython, can_run

ROOT = Path(__file__).resolve().parents[2]
READY = ROOT / "tests/end_to_end/ready.py"
LEGACY = "api.hunyuan.cloud.tencent.com"
TOKENHUB = "tokenhub.tencentmaas.com"
KEY = "sk-test"
"""Any key that looks like one is good at the simulator."""

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")

_running: list[Process] = []
_ended: list[Process] = []
"""Those that the test of now has ended: a test that fails leaves its own `with` before it is reported."""

always_cold = False
"""Whether each process is started by itself, as by night, and never forked from one that has imported mitmproxy."""

_SHOWN = 8000
"""Characters of a process's output, from its end, in a failed test's report."""


def forget_ended() -> None:
    """Begin a new test: only processes that run by now, or later, belong to its report."""
    _ended.clear()


def accounts() -> list[tuple[str, str]]:
    """For a failed test's report, each process: name, and how it was started with the end of what it said."""
    return [(f"{process.name} (pid {process.pid})", process.account) for process in (*_ended, *_running)]


class Process:
    """A process whose output is read as it comes, so that a test can wait for a line instead of a while."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        given = [f"{key}={shlex.quote(value)}" for key, value in environment.items()]
        self._started_as = " ".join([*given, *map(shlex.quote, command)])
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._popen = _started(command, {**clean_environment(), "PYTHONUNBUFFERED": "1", **environment})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _running.append(self)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        """Everything it has said so far."""
        with self._changed:
            return "".join(self._lines)

    @property
    def account(self) -> str:
        """The command that started it, to be pasted into a shell, and the end of what it said."""
        return f"$ {self._started_as}\n{self.output[-_SHOWN:]}"

    def wait_for(self, pattern: str, timeout: float = 60) -> re.Match[str]:
        """The first match of `pattern` in the output; AssertionError if the process ends without one."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, "".join(self._lines))

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, timeout)
            match = found()
            assert match, f"{self.name} never said {pattern!r}:\n{''.join(self._lines)}"
            return match

    def wait(self, timeout: float = 60) -> int:
        """Wait until it ends by itself; its exit code."""
        code = self._popen.wait(timeout)
        self._reader.join(timeout)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._popen.send_signal(number)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._popen.terminate()

    def stop(self) -> None:
        """End it, whatever state it is in."""
        _running.remove(self)
        _ended.append(self)
        self._popen.terminate()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join()
        assert self._popen.stdout is not None
        self._popen.stdout.close()


def _started(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str] | Fork:
    if not always_cold and can_run(command) and _warm_python().suits(environment):
        return _warm_python().run(command, environment)
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


@cache
def _warm_python() -> WarmPython:
    """Once a worker: the first test that wants it waits for it."""
    return WarmPython(ROOT, {**clean_environment(), "PYTHONUNBUFFERED": "1"})


@contextmanager
def process(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """A process that is ended with the block."""
    started = Process(name, command, environment or {})
    try:
        yield started
    finally:
        started.stop()


def clean_environment() -> dict[str, str]:
    """The environment without options, and without what would send a client elsewhere or make it trust another CA."""
    unwanted = {
        *PROXY_VARIABLES,
        *(name.upper() for name in PROXY_VARIABLES),
        *CA_VARIABLES,
        "HUNYUAN_API_KEY",
        "HUNYUAN_REDIS_PASSWORD",
        *(variable(option.name) for option in OPTIONS),
    }
    return {name: value for name, value in os.environ.items() if name not in unwanted}


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates of the test's own internet, and of the proxy."""

    authority: trustme.CA
    folder: Path
    confdir: Path
    """mitmproxy's folder, with its CA already made."""

    @property
    def authority_file(self) -> Path:
        """What mitmproxy must trust to reach the simulator under the real host names."""
        return self.folder / "authority.pem"

    @property
    def proxy_ca(self) -> Path:
        """What a client must trust to have its calls repaired."""
        return self.confdir / "mitmproxy-ca-cert.pem"

    def trusted(self) -> ssl.SSLContext:
        """What trusts the test's own internet and nothing else: not the proxy's CA."""
        return ssl.create_default_context(cafile=str(self.authority_file))

    def proxy_trusted(self) -> ssl.SSLContext:
        """What trusts the proxy's CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.proxy_ca))

    def issue(self, *hosts: str) -> tuple[Path, Path]:
        """Certificate chain and key for `hosts`, as files."""
        issued = self.authority.issue_cert(*hosts)
        chain, key = self.folder / f"{hosts[0]}.pem", self.folder / f"{hosts[0]}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return chain, key


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator that runs: `url` is its address without a path, `verify` how to trust its certificate."""

    process: Process
    url: str
    verify: ssl.SSLContext

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return f"{self.url}/v1"

    def _control(self, method: str, name: str, json: object = None) -> Any:
        answer = httpx.request(
            method, f"{self.url}/_sim/{name}", json=json, verify=self.verify, trust_env=False, timeout=30
        )
        answer.raise_for_status()
        return answer.json()

    def reset(self) -> None:
        """Forget the requests so far and the faults still to come."""
        self._control("POST", "reset")

    def program(self, *faults: dict[str, Any]) -> None:
        """Faults for requests to come: `{"fault": "rate_limit", "match": {...}, "times": 1}`."""
        self._control("POST", "faults", list(faults))

    def stats(self) -> dict[str, Any]:
        """Counts since the last reset."""
        return dict(self._control("GET", "stats"))

    def requests(self) -> list[dict[str, Any]]:
        """The requests since the last reset, oldest first: method, path, headers, body, http_version, status."""
        return list(self._control("GET", "requests"))

    def reasoning(self) -> list[list[dict[str, Any]]]:
        """Which reasoning came back, request by request, turn by turn: real, foreign, made up, empty or missing."""
        return list(self._control("GET", "reasoning"))

    def usage(self) -> dict[str, dict[str, dict[str, int]]]:
        """What was billed for answers that `ended` and for `unfinished` ones: by model, `calls` and tokens by kind."""
        return dict(self._control("GET", "usage"))

    def bodies(self) -> list[Any]:
        """Their bodies: JSON where it is JSON."""
        return [request["body"] for request in self.requests()]


@contextmanager
def run_simulator(
    certificates: Certificates, *arguments: str, hosts: Sequence[str] = (), profile: str = "hunyuan"
) -> Iterator[Simulator]:
    """Run a strict simulator of `profile`; with `hosts` it speaks TLS under these names, else clear HTTP."""
    command = [sys.executable, "-m", "hunyuan_fix.simulator", "--profile", profile, *arguments]
    if hosts:
        chain, key = certificates.issue(*hosts, "127.0.0.1")
        command += ["--cert", str(chain), "--key", str(key)]
    with process(f"simulator {profile}", command) as started:
        url = started.wait_for(r"simulator listening on (https?://\S+)")[1]
        yield Simulator(started, url, certificates.trusted())


@dataclass(frozen=True, slots=True)
class Proxy:
    """mitmdump with the addon, as a proxy and (where asked for) as a reverse proxy."""

    process: Process
    port: int
    reverse_port: int
    certificates: Certificates

    @property
    def url(self) -> str:
        """For HTTPS_PROXY."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def reverse_url(self) -> str:
        """For a client's base URL, `/v1` included."""
        return f"http://127.0.0.1:{self.reverse_port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What a client gets to use the proxy: the variables that `scripts/run` prints."""
        return {"HTTPS_PROXY": self.url, "SSL_CERT_FILE": str(self.certificates.proxy_ca)}


@contextmanager
def run_proxy(
    certificates: Certificates,
    redirects: Mapping[str, int],
    *arguments: str,
    store: str = "memory",
    environment: Mapping[str, str] | None = None,
    unhurried: bool = False,
) -> Iterator[Proxy]:
    """Run mitmdump with the addon in both modes at once; yields when both listen.

    `redirects` says where the real host names lead ("host:port" -> local port), `arguments` go to mitmdump. What a
    test has described is in memory only: the next one must not find it. `unhurried`: no store is by-passed because the
    machine is busy.
    """
    before = [ROOT / "tests/end_to_end/unhurried.py"] if unhurried else []
    command, reverse_port = proxy_command(certificates, "--set", f"hunyuan_store={store}", *arguments, before=before)
    variables = {"HUNYUAN_FIX_TEST_REDIRECTS": json.dumps(dict(redirects)), **(environment or {})}
    with process("mitmdump", command, variables) as started:
        port = int(started.wait_for(r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")[1])
        started.wait_for(r"reverse proxy to \S+ listening at")
        started.wait_for("mitmproxy is running")
        yield Proxy(started, port, reverse_port, certificates)


def proxy_command(certificates: Certificates, *arguments: str, before: Sequence[Path] = ()) -> tuple[list[str], int]:
    """The command line of `run_proxy`, and the port that the reverse proxy will have. `before`: scripts before ours."""
    reverse_port = free_port()
    command = [str(Path(sys.executable).with_name("mitmdump"))]
    for script in (*before, ROOT / "tests/end_to_end/redirect.py", ROOT / "addon/hunyuan_fix.py", READY):
        command += ["-s", str(script)]
    for mode in ("regular@127.0.0.1:0", f"reverse:https://{LEGACY}@127.0.0.1:{reverse_port}"):
        command += ["--mode", mode]
    command += ["--set", f"confdir={certificates.confdir}"]
    command += ["--set", f"ssl_verify_upstream_trusted_ca={certificates.authority_file}"]
    if not any(argument.startswith("hunyuan_admin=") for argument in arguments):
        command += ["--set", "hunyuan_admin=off"]  # one port for all workers of the suite: only its own tests listen
    return [*command, *arguments], reverse_port
