"""The secrets of one process: keys of endpoints, tokens of clients, keys that seal; from files and the environment.

They are taken over together, when options change or a watched file does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.option import part
from .client_tokens import ClientTokens, TokenSettings
from .cloud_key import CloudKey
from .keys import KeySettings, LentKey
from .provider_keys import ProviderKeys, ProviderKeySettings
from .seal_keys import SealKeys, SealSettings
from .signed_clients import SignedClients, SignedSettings


@dataclass(frozen=True)
class SecretSettings(KeySettings, ProviderKeySettings, TokenSettings, SignedSettings, SealSettings):
    """Where the secrets are."""


class Secrets:
    """All of them. `use_seals` is given the keys that seal, once they are in force."""

    def __init__(self, use_seals: Callable[[Sequence[bytes]], None]) -> None:
        self.key = LentKey()
        self.cloud = CloudKey()
        self.providers = ProviderKeys()
        self.tokens = ClientTokens()
        self.signed = SignedClients()
        self.seals = SealKeys(use_seals)
        self._is_started = False

    def prepared(self, settings: SecretSettings) -> Callable[[], None]:
        """Read what `settings` name. Returns what puts it in force. Raises `OptionError`."""
        key = self.key.configured(part(settings, KeySettings))
        self.cloud.check()
        providers = self.providers.configured(part(settings, ProviderKeySettings))
        tokens = self.tokens.configured(part(settings, TokenSettings))
        signed = self.signed.configured(part(settings, SignedSettings))
        seals = self.seals.configured(part(settings, SealSettings))

        def use() -> None:
            is_other = seals is not self.seals
            self.key, self.providers, self.tokens, self.signed, self.seals = key, providers, tokens, signed, seals
            if is_other and self._is_started:
                seals.apply()

        return use

    def start(self) -> None:
        """Put the keys that seal in force: from now on a file for them may be made."""
        if not self._is_started:
            self._is_started = True
            self.seals.apply()

    async def refresh(self) -> None:
        """Take over files that were changed. An invalid one is logged, and what it held stays in force."""
        for secret in (self.key, self.providers, self.tokens, self.signed, self.seals):
            await secret.refresh()

    @property
    def unusable(self) -> list[Path]:
        """Files that can't be used as they are now; that of the lent key has a check of its own."""
        files = (self.tokens.file, self.signed.file, self.seals.file)
        unusable = [file.path for file in files if file is not None and file.is_unusable]
        return [*unusable, *self.providers.unusable]
