"""The proxy's own CA, by which clients trust the certificates that it makes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ...texts.sentence import Sentence
from .check import Finding, degraded, healthy, unhealthy
from .in_thread import in_thread

SOON = 30 * 86_400.0
"""Seconds before its end from which it is degraded."""


class AuthorityCheck:
    """The files of the CA, once `follow` has named them. `clock`: Unix time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._key: Path | None = None
        self._certificate: Path | None = None
        self._needed: Callable[[], bool] = lambda: True
        self._first: bytes | None = None
        """The certificate's digest at the first look: mitmproxy has read it then, and doesn't read it again."""

    def follow(self, key: Path, certificate: Path, needed: Callable[[], bool]) -> None:
        """Look at these files from now on: the CA with its key, and its certificate alone, for clients.

        `needed`: whether any port takes connections that end in a certificate of this CA.
        """
        self._key, self._certificate, self._needed = key, certificate, needed

    async def look(self) -> Finding:
        """By the files as they are now."""
        if self._key is None or self._certificate is None:
            return healthy(Sentence("Not read yet."))
        key, certificate = self._key, self._certificate
        return await in_thread(lambda: self._of_files(key, certificate))

    def _of_files(self, key: Path, certificate: Path) -> Finding:
        # 1. What mitmproxy reads at its start.
        for file in (key, certificate):
            try:
                data = file.read_bytes()
            except FileNotFoundError:
                return degraded(
                    Sentence(
                        "{file} is missing: the next start makes a new CA, which clients don't trust. Put it back.",
                        file=file,
                    )
                )
            except OSError as error:
                return degraded(
                    Sentence(
                        "{file} can't be read: {reason}.", file=file, reason=error.strerror or type(error).__name__
                    )
                )
            if file is key:
                whole = data
        if b"PRIVATE KEY-----" not in whole:
            return degraded(Sentence("{file} has no private key: the next start fails.", file=key))
        try:
            read = [x509.load_pem_x509_certificate(text) for text in (whole, data)]
        except ValueError:
            return degraded(Sentence("{file} holds no certificate that can be read.", file=certificate))
        # 2. Whether it is the one in use.
        digests = [one.fingerprint(hashes.SHA256()) for one in read]
        self._first = self._first or digests[0]
        if digests[0] != digests[1]:
            return degraded(
                Sentence("{file} is not the certificate of {key}: clients trust another.", file=certificate, key=key)
            )
        if digests[0] != self._first:
            return degraded(Sentence("{file} is another CA than at the start: restart the proxy.", file=key))
        # 3. Until when it holds.
        return self._by_time(read[0])

    def _by_time(self, read: x509.Certificate) -> Finding:
        now = datetime.fromtimestamp(self._clock(), UTC)
        begin, end = read.not_valid_before_utc, read.not_valid_after_utc
        if now < begin:
            return degraded(
                Sentence("The CA is valid from {day} on: is this machine's clock right?", day=f"{begin:%Y-%m-%d}")
            )
        if now >= end:
            expired = Sentence(
                "The CA expired on {day}. Move it away, restart the proxy and let clients trust the new one.",
                day=f"{end:%Y-%m-%d}",
            )
            return unhealthy(expired) if self._needed() else degraded(expired)
        if (end - now).total_seconds() < SOON:
            return degraded(
                Sentence("The CA expires on {day}: make a new one, and let clients trust it.", day=f"{end:%Y-%m-%d}")
            )
        return healthy(Sentence("The CA is valid until {day}.", day=f"{end:%Y-%m-%d}"))
