"""The proxy's own CA: its files in mitmproxy's folder, made once, however many processes start at the same time."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mitmproxy.certs import CertStore

NAME = "mitmproxy"
KEY_SIZE = 2048
"""Both as mitmproxy's own, `CONF_BASENAME` and the default of its option `key_size`."""

_LOCK = "hunyuan-fix-ca.lock"
_NEW = ".hunyuan-fix-new-ca"
"""Folder in which a new CA is made before its files are moved to their places."""
_PATIENCE = 30.0
"""Seconds for which another process that makes the CA is waited for. Making it takes less than one."""
_WRITING = 0.5
"""Seconds in which a mitmproxy that is just writing its key file has written all of it."""
_PAUSE = 0.02
"""Seconds between two looks."""

_BEGIN = b"-----BEGIN "
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
"""One block of a PEM file, whole."""


def key_file(confdir: Path) -> Path:
    """The CA's private key and certificate, as mitmproxy keeps them."""
    return confdir / f"{NAME}-ca.pem"


def ca_file(confdir: Path) -> Path:
    """The CA's certificate, for programs that add it to the roots they have."""
    return confdir / f"{NAME}-ca-cert.pem"


def bundle_file(confdir: Path) -> Path:
    """That certificate and every other root, for programs whose roots it replaces. `scripts/env` makes it."""
    return confdir / "hunyuan-fix-ca-bundle.pem"


def ensure(confdir: Path, key_size: int = KEY_SIZE) -> None:
    """Make the CA in `confdir`, unless it is there. Raises `OSError`, and `ValueError` for a key file that is none.

    mitmproxy itself makes it without a lock: of several that start at once one reads what another has half written and
    ends, or serves with a CA that isn't the one in the folder. Here one process makes it while the others wait, and the
    key file, by which mitmproxy knows that there is a CA, appears as the last of its files and whole. One that a killed
    process has left incomplete is no use to anybody: it is set aside as `mitmproxy-ca.pem.incomplete`. A certificate
    that lacks beside a good key is written anew.
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
    """Whether the PEM file `file` is there and has a block of each of `kinds`. Raises `OSError` if it can't be read."""
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
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed here
    new.mkdir(mode=0o700)
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
    """Hold the file `lock`, which the system gives back for a process that dies. Waits for another for 30 s at most."""
    with lock.open("ab") as file:
        until = time.monotonic() + _PATIENCE
        while not _locked(file) and time.monotonic() < until:
            time.sleep(_PAUSE)
        yield


if sys.platform == "win32":
    import msvcrt

    def _locked(file: BinaryIO) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: as good as it gets there
        return True
