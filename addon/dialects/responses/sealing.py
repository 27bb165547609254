"""Sealing: text of an answer that the client carries to the next request, and that only this proxy can read.

The Responses API has `encrypted_content` for it, in reasoning and compaction items. A sealed text is `hf1.` and the
base64url of a nonce and the AES-GCM ciphertext. Its kind is authenticated with it, so that a client can't pass off the
one as the other. Any other text, of another vendor for one, is not ours: it is not opened.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
"""The length of a key."""

_PREFIX = "hf1."
_NONCE_BYTES = 12
"""The length that NIST SP 800-38D section 5.2.1.1 recommends. A nonce is made from the text, so that this is sealed
the same each time: two texts share one as rarely as with random ones, which are safe for 2**32 texts under one key."""


class _Cipher(NamedTuple):
    key: bytes
    aead: AESGCM


def _ciphers(keys: Sequence[bytes]) -> list[_Cipher]:
    return [_Cipher(key, AESGCM(key)) for key in keys or [AESGCM.generate_key(8 * KEY_BYTES)]]


_in_use = _ciphers(())
"""The first seals."""


def use(keys: Sequence[bytes]) -> None:
    """Seal with the first of `keys` from now on, and open with any. Without keys: with a new one of this process.

    Raises `ValueError` if a key doesn't have `KEY_BYTES` bytes; the keys in use stay then.
    """
    global _in_use  # noqa: PLW0603 - dialects are pure functions of the request and hold no objects
    if any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"a key must have {KEY_BYTES} bytes")
    _in_use = _ciphers(keys)


def seal(kind: str, text: str) -> str:
    """`text`, sealed. `kind`: what it is, `reasoning` or `compaction`."""
    cipher, plain = _in_use[0], text.encode("utf-8", "surrogatepass")  # a JSON text may have half of a surrogate pair
    nonce = hmac.digest(cipher.key, kind.encode() + b"\0" + plain, "sha256")[:_NONCE_BYTES]
    sealed = cipher.aead.encrypt(nonce, plain, kind.encode())
    return _written(nonce + sealed)


def _written(data: bytes) -> str:
    return _PREFIX + base64.urlsafe_b64encode(data).decode()


def is_ours(token: object) -> bool:
    """Whether `token` looks like one of this proxy's, or of another that runs the same program."""
    return isinstance(token, str) and token.startswith(_PREFIX)


def opened(kind: str, token: object) -> str | None:
    """The text of which `seal` made `token`; `None`: not ours, of another kind, changed, or of a key not in use."""
    if not isinstance(token, str) or not token.startswith(_PREFIX):
        return None
    try:
        data = base64.b64decode(token.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return None
    nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
    # The last character has bits that say nothing: one text has one spelling.
    if len(nonce) < _NONCE_BYTES or _written(data) != token:
        return None
    for cipher in _in_use:
        try:
            return cipher.aead.decrypt(nonce, sealed, kind.encode()).decode("utf-8", "surrogatepass")
        except InvalidTag:
            continue
    return None
