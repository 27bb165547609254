"""A change of one value in a client's settings file: with a backup beside it, at once or not at all."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ...config import operating_system
from ...texts.sentence import Sentence
from .client_files import Broken, ClientFile, Keys, read
from .situation import Backups, Fix


def edit(file: ClientFile, keys: Keys, value: str) -> Fix | None:
    """The change that makes the text at `keys` in `file` be `value`; `None` if its place in the text isn't found."""
    text = file.with_text(keys, value)
    if text is None:
        return None
    what = Sentence("in {file} set {name} to {value}", file=file.path, name=".".join(map(str, keys)), value=value)

    def apply(backups: Backups) -> Sentence:
        # Another fix may have changed the file since it was read: the value is looked up in its text of now.
        try:
            now = read(file.client, file.path)
            wanted = now.with_text(keys, value)
        except (Broken, KeyError, IndexError, TypeError):
            wanted = None
        if wanted is None:
            raise OSError(errno.EBUSY, "the file has changed meanwhile")
        target = replace(file.path, wanted, backups)
        return Sentence("done; to undo it: {line}", line=undo_command(backups[target], target))

    return Fix(what, apply)


def replace(path: Path, text: str, backups: Backups) -> Path:
    """Give the file at `path` this text; returns the file, which is another where `path` is a link.

    What it held is kept in a backup beside it, for its owner only, unless `backups` has one of it already. A link stays
    a link, owner and mode stay as well. Raises `OSError`; the file is as it was then.
    """
    target = path.resolve(strict=True)
    status = target.stat()
    if not status.st_mode & stat.S_IWUSR:
        raise PermissionError(errno.EACCES, "it is read-only", str(target))
    before = target.read_bytes()
    data = (b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b"") + text.encode("utf-8")
    backup = None if target in backups else _backup(target, before)
    descriptor, made = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # of mode 0600
    try:
        with open(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        Path(made).chmod(stat.S_IMODE(status.st_mode))
        operating_system.keep_owner(Path(made), target)
        os.replace(made, target)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        if backup is not None:
            backup.unlink(missing_ok=True)
        raise
    if backup is not None:
        backups[target] = backup
    return target


def _backup(target: Path, data: bytes) -> Path:
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    backup = target.with_name(f"{target.name}.backup-{stamp}")
    descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as opened:
        opened.write(data)
    operating_system.keep_owner(backup, target)
    return backup


def undo_command(backup: Path, target: Path) -> str:
    """The line that puts the backup back."""
    if operating_system.is_windows():
        source, to = (str(path).replace("'", "''") for path in (backup, target))
        return f"Move-Item -Force '{source}' '{to}'"
    return shlex.join(["mv", str(backup), str(target)])
