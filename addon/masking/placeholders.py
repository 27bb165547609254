"""What stands for a masked value: its form, how it is made of the value, and how the value is put back.

A placeholder is `MASKED-KEY-` (`PHONE`, `ID`, `CARD`) and 16 characters of A-Z and 2-7: 80 bits of an HMAC-SHA-256 over
the caller, the kind and the value. The same value always has the same placeholder, for the endpoint's prompt cache; and
without the key nobody can try all phone numbers until one fits. The caller is in it so that an endpoint can't tell that
two clients of one proxy have the same value, and one client can't ask for another's.

It has hyphens, since models escape underscores in Markdown, and no character that JSON escapes. Nor has a masked value:
so either is put in the other's place in a text, in the JSON text of a call's arguments, and in JSON within that.

The key is made of the one that seals (`access.seal_keys`): a file of this installation that its owner alone can read,
the same for all workers and after a restart. Until it is there, it is one of this process.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b32encode
from collections.abc import Sequence
from typing import Final

_PURPOSE: Final = b"hunyuan-fix placeholders, 1"
_BYTES: Final = 10

MARK: Final = "MASKED-"
"""What all of them begin with."""
_KINDS: Final = ("KEY", "PHONE", "ID", "CARD")
_LETTERS: Final = 16

FORM: Final = re.compile(rf"{MARK}(?:{'|'.join(_KINDS)})-[A-Z2-7]{{{_LETTERS}}}")
"""A placeholder, or what looks like one."""
_HEADS: Final = tuple(f"{MARK}{kind}-" for kind in _KINDS)
LONGEST: Final = max(map(len, _HEADS)) + _LETTERS
"""Characters of the longest one."""
_BEGUN: Final = re.compile(
    "(?:"
    + "|".join(
        sorted({re.escape(head[:size]) for head in _HEADS for size in range(1, len(head))}, key=len, reverse=True)
    )
    + rf"|(?:{'|'.join(_HEADS)})[A-Z2-7]{{0,{_LETTERS - 1}}})\Z"
)
"""The beginning of one, at the end of a text."""
FORM_IN_BYTES: Final = re.compile(FORM.pattern.encode())
"""A placeholder in bytes that aren't read."""
IN_BYTES: Final = re.compile(rb'MASKED-|M(?:A(?:S(?:K(?:E(?:D)?)?)?)?)?"')
"""What the JSON of an event has where a text in it has a placeholder, or ends with the beginning of one."""


class Placeholders:
    """Makes placeholders, under one key."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def use(self, keys: Sequence[bytes]) -> None:
        """Make them under a key that is made of the first of `keys` from now on; without keys, under the one before."""
        if keys:
            self._key = hmac.digest(keys[0], _PURPOSE, hashlib.sha256)

    def of(self, caller: bytes, kind: str, value: str) -> str:
        """The placeholder of a `value` of `caller`'s. `kind`: `key`, `phone`, `id` or `card`."""
        said = b"".join(
            len(part).to_bytes(8) + part for part in (caller, kind.encode(), value.encode("utf-8", "surrogatepass"))
        )
        digest = hmac.digest(self._key, said, hashlib.sha256)[:_BYTES]
        return f"MASKED-{kind.upper()}-{b32encode(digest).decode()}"


def begun(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of a placeholder."""
    found = _BEGUN.search(text, max(0, len(text) - LONGEST + 1))
    return len(text) - found.start() if found is not None else 0
