"""The proxies that `hunyuan-fix run` has started: each keeps a small file while it runs, which other commands read.

The files are in the folder `running` of the user's data folder, of mode 0600, one for each process, without secrets.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from ..config import operating_system
from ..config.values import base_url, data_folder
from .addresses import HOST

_ANSWER = 1.0
"""Seconds that a listener on this machine may take to accept a connection."""

LONGEST_START = 20.0
"""Seconds that a start waits for another one."""
_PAUSE = 0.05
_LARGEST_PID = (1 << 31) - 1
_LARGEST_PORT = (1 << 16) - 1

_ANY_ADDRESS: Mapping[str, str] = MappingProxyType({"": HOST, "0.0.0.0": HOST, "::": "::1"})  # noqa: S104
"""What listens on all addresses -> the one by which this machine reaches it."""


@dataclass(frozen=True, slots=True)
class Running:
    """A proxy that runs: where it listens, and where it sends calls."""

    pid: int
    host: str
    """The address that it listens on."""
    port: int | None
    """Of the proxy, for HTTPS_PROXY; `None`: it is a reverse proxy alone (`--kimi`)."""
    reverse_port: int
    """Of the reverse proxy, for base URLs."""
    upstream: str
    """The base URL of `hunyuan_upstream`; `""`: calls go to the address that the client chose."""
    profile: str
    """The name of the profile that calls by the reverse port are held against."""
    mode: str
    """The value of `hunyuan_mode`."""
    confdir: str
    """mitmproxy's folder, where its CA is."""
    version: str
    """Of hunyuan-fix."""
    language: str
    """Of the texts that it puts into conversations."""
    started: str
    """When, by ISO 8601 with the time zone."""
    admin_url: str = ""
    """Of its admin server, for this machine; `""`: it has none."""

    @property
    def reverse_url(self) -> str:
        """Its address as a reverse proxy, without a path, for clients on this machine."""
        return local_url(self.host, self.reverse_port)

    @property
    def proxy_url(self) -> str | None:
        """Its address as a proxy, for clients on this machine."""
        return local_url(self.host, self.port) if self.port else None

    def still_runs(self) -> bool:
        """Whether its process is there, and something accepts connections on each of its ports."""
        if not operating_system.process_exists(self.pid):
            return False
        host = _ANY_ADDRESS.get(self.host, self.host)
        return all(_accepts(host, port) for port in (self.port, self.reverse_port) if port)


def local_url(host: str, port: int) -> str:
    """The URL, without a path, by which this machine reaches what listens on `port` of `host`."""
    reached = _ANY_ADDRESS.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _accepts(host: str, port: int) -> bool:
    with suppress(OSError, UnicodeError):  # UnicodeError: no name that could be looked up
        socket.create_connection((host, port), timeout=_ANSWER).close()
        return True
    return False


def folder() -> Path:
    """Where the files are."""
    return data_folder() / "running"


def turn_to_start() -> BinaryIO | None:
    """The right to look for free ports, held until the file that is returned is closed: two starts at once would find
    the same ones.

    Waits until another start is over, `LONGEST_START` seconds at most. `None` where the file can't be made or locked.
    """
    deadline = time.monotonic() + LONGEST_START
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder() / ".starting").open("ab")
        while not operating_system.lock(file.fileno()) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
    except OSError:
        return None
    return file


def write(running: Running) -> Path:
    """Keep `running` in its file, in place of what that held before; returns the file. Raises `OSError`."""
    place = folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = place / f"{running.pid}.json"
    descriptor, made = tempfile.mkstemp(prefix=".", suffix=".new", dir=place)  # of mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as opened:
            json.dump(asdict(running), opened)  # in ASCII: a path may have bytes that aren't UTF-8
        os.replace(made, file)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    return file


def remove(file: Path) -> None:
    """Remove the file of a proxy that ends. It is no error if it is gone or can't be removed."""
    with suppress(OSError):
        file.unlink()


def running() -> list[Running]:
    """The proxies that run now, the latest start first.

    A file whose process is gone is removed: a killed one leaves its own behind. One whose process is there but doesn't
    listen is passed over, since the process may be another by now, or about to listen; so is one that can't be read,
    or is of another version with other fields.
    """
    found = []
    for file, kept in _kept():
        if kept.still_runs():
            found.append(kept)
        elif not operating_system.process_exists(kept.pid):
            remove(file)
    return sorted(found, key=lambda one: one.started, reverse=True)


def _kept() -> Iterator[tuple[Path, Running]]:
    with suppress(OSError):
        for file in sorted(folder().glob("*.json")):
            with suppress(OSError, ValueError, RecursionError):
                yield file, _read(file.read_text("utf-8"))


def _read(text: str) -> Running:
    """What a file says. Raises `ValueError` for anything that `write` doesn't write."""
    given = json.loads(text)
    if not isinstance(given, dict):
        raise ValueError("no object")
    values: dict[str, Any] = {field.name: given.get(field.name) for field in fields(Running)}
    port = values["port"]
    numbers = {"pid": _LARGEST_PID, "reverse_port": _LARGEST_PORT} | ({} if port is None else {"port": _LARGEST_PORT})
    for name, largest in numbers.items():
        number = values[name]
        if type(number) is not int or not 0 < number <= largest:
            raise ValueError(f"{name} is no number from 1 to {largest}")
    for name in values.keys() - {"pid", "port", "reverse_port"}:
        value = values[name]
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(f"{name} is no text, or none that a path can have")
    if values["upstream"]:
        base_url(values["upstream"])
    return Running(**values)
