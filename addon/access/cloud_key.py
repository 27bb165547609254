"""The SecretId and SecretKey that the proxy lends to clients of Tencent Cloud's own API, as one key."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..config.option import OptionError
from ..texts import terminal
from ..texts.sentences import translated
from ..texts.terminal import say
from ..upstream import tc3
from ..upstream.signer import UnusableCredentials

ID_VARIABLE = "TENCENTCLOUD_SECRET_ID"
KEY_VARIABLE = "TENCENTCLOUD_SECRET_KEY"
TOKEN_VARIABLE = "TENCENTCLOUD_SESSION_TOKEN"  # noqa: S105 - its name
"""The environment variables that the vendor's SDK reads. Never options: mitmweb shows all options to its users."""


class CloudKey:
    """The credentials in the environment. Lent by the same rules as the other key (`keys.lend`)."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    @property
    def value(self) -> str | None:
        """`SecretId|SecretKey`, with `||token` behind it for temporary credentials; `None` without them."""
        secret_id, secret_key, token = map(self._given, (ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLE))
        if not (secret_id and secret_key):
            return None
        return tc3.Credentials(secret_id, secret_key, token).text

    def check(self) -> None:
        """Raise `OptionError`, which quotes none of them, where the variables can't be used."""
        given = [name for name in (ID_VARIABLE, KEY_VARIABLE) if self._given(name)]
        if len(given) == 1:
            missing = KEY_VARIABLE if given == [ID_VARIABLE] else ID_VARIABLE
            raise OptionError(f"{given[0]}: {say('{name} is needed beside it', name=missing)}")
        try:
            if self.value is not None and tc3.credentials(self.value).secret_id != self._given(ID_VARIABLE):
                raise UnusableCredentials("a part of the key has a blank, or another character that no key has")
        except UnusableCredentials as error:
            raise OptionError(f"{ID_VARIABLE}, {KEY_VARIABLE}: {translated(terminal.language(), str(error))}") from None

    def _given(self, name: str) -> str:
        return self._environment.get(name, "").strip()
