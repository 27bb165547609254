"""The admin server's token: from the option's file, else `HUNYUAN_ADMIN_TOKEN`."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping

from ...access.secret_files import SecretFile, SecretFileError
from ...config.option import OptionError
from ...texts.terminal import say
from .settings import AdminSettings

VARIABLE = "HUNYUAN_ADMIN_TOKEN"
"""The environment variable with the token. Never an option: mitmweb shows all options to its users."""
SHORTEST = 16
"""Characters of a token: a shorter one could be guessed."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)
"""What may stand behind `Bearer` (RFC 6750 section 2.1)."""


class AdminToken:
    """The token; a file is read again when it changes."""

    def __init__(self, environment: Mapping[str, str] = os.environ, file: SecretFile[str] | None = None) -> None:
        self._environment = environment
        self._file = file

    def configured(self, settings: AdminSettings) -> AdminToken:
        """The token for `settings` and the environment; this object if the file is the same. Raises `OptionError`."""
        path = settings.admin_token_file
        try:
            if path is None and self._given:
                _token(self._given)
        except ValueError as error:
            raise OptionError(f"{VARIABLE}: {error}") from None
        if path == (self._file.path if self._file else None):
            return self
        try:
            return AdminToken(self._environment, SecretFile(path, _token) if path else None)
        except SecretFileError as error:
            raise OptionError(f"hunyuan_admin_token_file: {error}") from None

    @property
    def value(self) -> str:
        """The token; `""` without one."""
        return self._file.content if self._file else self._given

    def is_in(self, authorization: str) -> bool:
        """Whether the header `Authorization` has the token as its bearer token. Takes as long for any other."""
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.matches(given.strip())

    def matches(self, given: str) -> bool:
        """Whether `given` is the token. `False` without one. Takes as long for any other of the same length."""
        token = self.value
        return bool(token) and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())

    @property
    def _given(self) -> str:
        return self._environment.get(VARIABLE, "").strip()

    async def refresh(self) -> None:
        """Read a changed file. An invalid one is logged, and the previous token stays in force."""
        if self._file:
            await self._file.refresh()


def _token(text: str) -> str:
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError(say("needed is one token and nothing else: letters, digits and -._~+/="))
    if len(token) < SHORTEST:
        raise ValueError(say("the token has less than {least} characters and could be guessed", least=SHORTEST))
    return token
