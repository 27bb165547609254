"""The proxy's own CA: files in mitmproxy's folder, made once even if several processes start at the same time."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..config import operating_system

NAME = "mitmproxy"
KEY_SIZE = 2048
"""Both are mitmproxy's: `CONF_BASENAME`, and the default of its option `key_size`."""

_LOCK = "hunyuan-fix-ca.lock"
_NEW = ".hunyuan-fix-new-ca"
"""Temporary folder of a new CA, before its files are moved into place."""
_PATIENCE = 30.0
"""Seconds to wait for another process that makes the CA. That takes less than one second."""
_WRITING = 0.5
"""Seconds to wait for a mitmproxy that is writing its key file."""
_PAUSE = 0.02
"""Seconds between two checks."""

_BEGIN = b"-----BEGIN "
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
"""One complete block of a PEM file."""


def key_file(confdir: Path) -> Path:
    """The CA's private key and certificate, in mitmproxy's file."""
    return confdir / f"{NAME}-ca.pem"


def ca_file(confdir: Path) -> Path:
    """The CA's certificate, for programs that add it to their own roots."""
    return confdir / f"{NAME}-ca-cert.pem"


def bundle_file(confdir: Path) -> Path:
    """The CA's certificate and all other roots, for programs whose roots it replaces. `scripts/env` writes it."""
    return confdir / "hunyuan-fix-ca-bundle.pem"


def ensure(confdir: Path, key_size: int = KEY_SIZE) -> None:
    """Make the CA in `confdir` if there is none. Raises `OSError`, or `ValueError` if the key file isn't PEM.

    mitmproxy makes it without a lock: if several start at once, one may read a half-written file and end, or use a CA
    that isn't the one in the folder. Here one process makes it while the others wait. The key file, by which mitmproxy
    recognises a CA, is moved into place last and complete. An incomplete key file, left by a killed process, is renamed
    to `mitmproxy-ca.pem.incomplete`. A missing certificate beside a complete key is written again.
    """
    if _whole(confdir):
        return
    confdir.mkdir(parents=True, exist_ok=True)
    with _alone(confdir / _LOCK):
        if _whole(confdir):
            return
        key = key_file(confdir)
        if key.exists() and not _becomes_whole(key):
            if not _BEGIN.startswith(key.read_bytes()[: len(_BEGIN)]):
                raise ValueError(f"{key} holds no CA")
            key.replace(key.with_name(f"{key.name}.incomplete"))
        if not key.exists():
            _make(confdir, key_size)
        if not _has(ca_file(confdir), b"CERTIFICATE"):
            _write_certificate(confdir)


def _whole(confdir: Path) -> bool:
    return _has(key_file(confdir), b"PRIVATE KEY", b"CERTIFICATE") and _has(ca_file(confdir), b"CERTIFICATE")


def _has(file: Path, *kinds: bytes) -> bool:
    """Whether the PEM file `file` exists and has a block of each of `kinds`. Raises `OSError` if it can't be read."""
    try:
        blocks = [found[1] for found in _BLOCK.finditer(file.read_bytes())]
    except FileNotFoundError:
        return False
    return all(any(block.endswith(kind) for block in blocks) for kind in kinds)


def _becomes_whole(key: Path) -> bool:
    until = time.monotonic() + _WRITING
    while not (whole := _has(key, b"PRIVATE KEY", b"CERTIFICATE")) and time.monotonic() < until:
        time.sleep(_PAUSE)
    return whole


def _make(confdir: Path, key_size: int) -> None:
    new = confdir / _NEW
    shutil.rmtree(new, ignore_errors=True)  # left by a killed process
    new.mkdir(mode=0o700)
    from mitmproxy.certs import CertStore  # noqa: PLC0415 - it takes a quarter of a second, and mostly the CA is there

    CertStore.create_store(new, NAME, key_size)
    for file in sorted(new.iterdir(), key=lambda file: file.name == key_file(new).name):
        file.replace(confdir / file.name)
    new.rmdir()


def _write_certificate(confdir: Path) -> None:
    blocks = _BLOCK.finditer(key_file(confdir).read_bytes())
    first = next(block[0] for block in blocks if block[1].endswith(b"CERTIFICATE"))
    new = confdir / f"{_NEW}.pem"
    new.write_bytes(first + b"\n")
    new.replace(ca_file(confdir))


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock `lock`, or go on without it after 30 seconds. The system releases it if the process dies."""
    with lock.open("ab") as file:
        until = time.monotonic() + _PATIENCE
        while not _locked(file) and time.monotonic() < until:
            time.sleep(_PAUSE)
        yield


def _locked(file: BinaryIO) -> bool:
    try:
        return operating_system.lock(file.fileno())
    except OSError:
        return True  # a file system without locks: continue without
