"""Lending the user's API key to clients that have none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from addon.access import Caller
from addon.client_tokens import CARRIERS
from addon.options import OptionError, Settings
from addon.secret_files import SecretFile, SecretFileError
from addon.startup import is_loopback

VARIABLE = "HUNYUAN_API_KEY"
"""The environment variable that the key is in. Never an option: mitmweb shows options to whoever opens it."""
FILE_VARIABLE = "HUNYUAN_API_KEY_FILE"
"""The environment variable that names the key's file where the option doesn't."""

_KEY = re.compile(r"[\x21-\x7e]+")


class LentKey:
    """The key to lend: of the file that the option names, else `HUNYUAN_API_KEY`, else of `HUNYUAN_API_KEY_FILE`."""

    def __init__(self, environment: Mapping[str, str] = os.environ, file: SecretFile[str] | None = None) -> None:
        self._environment = environment
        self._file = file

    def configured(self, settings: Settings) -> LentKey:
        """The key as `settings` and the environment say: this one, if that is the same file. Raises `OptionError`."""
        source, path = self._source(settings)
        try:
            if self._given:
                _key(self._given)
        except ValueError as error:
            raise OptionError(f"{VARIABLE}: {error}") from None
        if path == (self._file.path if self._file else None):
            return self
        try:
            return LentKey(self._environment, SecretFile(path, _key) if path else None)
        except SecretFileError as error:
            raise OptionError(f"{source}: {error}") from None

    def _source(self, settings: Settings) -> tuple[str, Path | None]:
        """Who names the file, and the file; `None` where the key is not in one."""
        if settings.api_key_file:
            # Before the environment: who changes the option while the proxy runs means to change the key.
            return "hunyuan_api_key_file", settings.api_key_file
        named = "" if self._given else self._environment.get(FILE_VARIABLE, "").strip()
        return FILE_VARIABLE, Path(os.path.expanduser(named)).absolute() if named else None

    @property
    def value(self) -> str | None:
        """The key, `None` where there is none."""
        return self._file.content if self._file else self._given or None

    @property
    def _given(self) -> str:
        return self._environment.get(VARIABLE, "").strip()

    async def refresh(self) -> None:
        """Take over a changed file; one that is wrong is logged, and the key that was there before stays in force."""
        if self._file:
            await self._file.refresh()


def _key(text: str) -> str:
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise ValueError("needed is one key and nothing else, without blanks")
    return key


class Withheld(Enum):
    """Why the key is not put on a request."""

    OWN = "it has a key of its own"
    STRANGER = "its client is not on this machine and has shown no token"
    ORIGIN = "it comes from a web page that hunyuan_allowed_origins doesn't name"
    IN_CLEAR = "it would leave the proxy unencrypted"
    PATH = "the key is for chat completions, embeddings and the list of models"
    NONE = "it has none to lend (HUNYUAN_API_KEY, hunyuan_api_key_file)"


def lend(
    key: str | None,
    headers: Mapping[str, str],
    caller: Caller,
    *,
    to_host: str,
    encrypted: bool,
    origins: frozenset[str],
) -> str | Withheld:
    """The `Authorization` to put on a request, or why it gets none. To be called after `access.recognised`.

    `key`: `None` also where it is lent to nobody (`startup.not_lending`). It goes to clients on this machine and to
    those that have shown who they are. A request with `Origin` gets none unless that is one of `origins`: any web page
    can make a browser on this machine send one. Nor does the key leave this machine unencrypted.
    """
    if has_key(headers):
        return Withheld.OWN
    if not caller.trusted:
        return Withheld.STRANGER
    origin = headers.get("origin")
    if origin is not None and (origin.lower() == "null" or origin.lower() not in origins):
        return Withheld.ORIGIN
    if not (encrypted or is_loopback(to_host)):
        return Withheld.IN_CLEAR
    return f"Bearer {key}" if key else Withheld.NONE


def has_key(headers: Mapping[str, str]) -> bool:
    """Whether a request has an API key of its own. A scheme without a key is none: some clients send that."""
    given = (headers.get(name, "").strip() for name in CARRIERS)
    return any(value and value.lower() != "bearer" for value in given)
