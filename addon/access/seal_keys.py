"""The keys that seal what answers leave with their client (`dialects.responses.sealing`): in a file, so that they
outlive a restart and are the same for all workers.

Without `hunyuan_seal_key_file` it is a file in the user's data folder, made once. Several machines name the same one.
Each line is a key: any text of at least 32 characters, such as `openssl rand -hex 32` prints. The first line seals, all
open: to rotate, put a new line before the others. Blank lines and lines that begin with # don't count.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config import values as read
from ..config.option import OptionError, option
from ..texts.terminal import say
from .secret_files import SecretFile, SecretFileError

logger = logging.getLogger("hunyuan_fix")

SHORTEST = 32
"""Characters of a line."""
MOST = 16
"""Keys of a file: each may be tried on a sealed text."""

type Keys = tuple[bytes, ...]


@dataclass(frozen=True)
class SealSettings:
    """The file with the keys that seal."""

    seal_key_file: Path | None = option(
        "",
        "File with the keys that seal reasoning and summaries in Responses answers, one on each line; the first "
        "seals, all open. Placeholders of hunyuan_mask are made under the first. Several machines need the same. "
        "Default: one in the user's data folder, made once.",
        read.optional(read.path),
    )


class SealKeys:
    """The keys in use. `use`: called with them, and again when the file has changed."""

    def __init__(self, use: Callable[[Sequence[bytes]], None], file: SecretFile[Keys] | None = None) -> None:
        self._use = use
        self._file = file
        self._used: Keys = ()

    def configured(self, settings: SealSettings) -> SealKeys:
        """The keys of the file in `settings`; this object if it names no other file. Raises `OptionError`."""
        path = settings.seal_key_file
        if path is None:
            return self if self._file is None or self._file.path == own_file() else SealKeys(self._use)
        if self._file is not None and path == self._file.path:
            return self
        try:
            return SealKeys(self._use, SecretFile(path, parse))
        except SecretFileError as error:
            raise OptionError(f"hunyuan_seal_key_file: {error}") from None

    def apply(self) -> None:
        """Use the keys. Where no file is named, that in the data folder is read, and made if there is none.

        Where that can't be done a warning is logged, and the keys of this process are used, which end with it.
        """
        if self._file is None:
            path = own_file()
            try:
                make(path)
                self._file = SecretFile(path, parse)
            except (OSError, SecretFileError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                logger.warning(
                    "%s",
                    say(
                        "The key that seals reasoning can't be kept in {file} ({why}). It ends with this process: what "
                        "was sealed before a restart can't be read after it.",
                        file=path,
                        why=why,
                    ),
                )
                return
        self._used = self._file.content
        self._use(self._used)

    @property
    def file(self) -> SecretFile[Keys] | None:
        """The file that the keys are in; `None` if they are in none."""
        return self._file

    async def refresh(self) -> None:
        """Read a changed file. An invalid one is logged, and the previous keys stay in use."""
        if self._file is None:
            return
        await self._file.refresh()
        if self._file.content != self._used:
            self._used = self._file.content
            self._use(self._used)


def own_file() -> Path:
    """The file in the user's data folder."""
    return read.data_folder() / "seal.keys"


def make(path: Path) -> None:
    """Make a file with one new key, for its owner alone, unless there is one. Raises `OSError`.

    It appears whole: other workers, which start at the same time, read this one or make none.
    """
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(32)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # Not a rename, which would replace the file that another worker has made meanwhile.
        os.link(new, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def parse(text: str) -> Keys:
    """The keys in a file. Raises `ValueError`, which quotes no line."""
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or len(keys) > MOST or any(len(key) < SHORTEST for key in keys):
        raise ValueError(
            say("needed are 1 to {most} keys, each a line of at least {least} characters", most=MOST, least=SHORTEST)
        )
    return tuple(hashlib.sha256(key.encode()).digest() for key in keys)
