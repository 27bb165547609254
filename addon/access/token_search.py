"""Client tokens wherever they stand in a request: found in every usual spelling, replaced without changing a length.

A token is `hf-` and 43 letters, digits, `_` and `-`. The search finds it in any bytes:

1. unchanged, also with letters or digits directly beside it;
2. with any of its characters percent-encoded (up to four times over) or as a JSON escape, in JSON inside JSON, too;
3. in base64, standard or URL-safe, padded or not, at each of the three alignments, as inside `Basic` credentials.

Text that only looks like a token stays: a candidate counts if its SHA-256 is that of a known token. All steps are
linear: each place where a token may begin is looked at once, and no further than a token's longest spelling.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

PREFIX = b"hf-"
LENGTH = 46
"""Characters of a token, `hf-` included."""
MARK = b"client-token-removed-by-the-proxy-------------"
"""What takes a token's place. As long as a token: lengths that were sent ahead (`Content-Length`) stay true."""

_TOKEN = re.compile(rb"hf-[A-Za-z0-9_-]{43}")
_PERCENT = rb"%(?:25){0,3}"


def _character_pattern(plain: bytes, high: bytes, low: bytes) -> bytes:
    """A character as it is, percent-encoded, or as a JSON escape. `high`, `low`: patterns of its hexadecimal digits.

    A digit may itself be percent-encoded, where a text was encoded twice: `%68`, `%2568`, `%25%36%38`.
    """
    return rb"(?:%s|%s%s%s|\\{1,8}u00%s%s)" % (plain, _PERCENT, _digit(high), _digit(low), high, low)


def _digit(pattern: bytes) -> bytes:
    return rb"(?:%s|%s(?:3[0-9]|[46][1-6]))" % (pattern, _PERCENT)


_HEX = rb"[0-9A-Fa-f]"
_SPELT = re.compile(
    _character_pattern(rb"h", rb"6", rb"8")
    + _character_pattern(rb"f", rb"6", rb"6")
    + _character_pattern(rb"-", rb"2", rb"[dD]")
    + _character_pattern(rb"[A-Za-z0-9_-]", _HEX, _HEX)
    + rb"{43}"
)
_ESCAPED = re.compile(rb"%[0-9A-Fa-f]{2}|\\{1,8}u00[0-9A-Fa-f]{2}")
_LONGEST = LENGTH * len(b"%252525" + 2 * b"%25252536")
"""Bytes that the longest spelling has, and some."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{2,64}")
_STANDARD = bytes.maketrans(b"-_", b"+/")


def _needles() -> tuple[tuple[bytes, int, int], ...]:
    """For each alignment: the characters that `hf-` alone decides, where in their group they begin, its offset."""
    needles = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + PREFIX + b"\0" * 3)
        first, end = -(-8 * offset // 6), (8 * offset + 24) // 6
        needles.append((encoded[first:end], first, offset))
    return tuple(needles)


_NEEDLES = _needles()


class TokenSearch:
    """Finds the tokens whose SHA-256 digests are `digests`. False where there are none."""

    def __init__(self, digests: frozenset[bytes] = frozenset()) -> None:
        self._digests = digests

    def __bool__(self) -> bool:
        """Whether there is any token to look for."""
        return bool(self._digests)

    def redacted(self, data: bytes) -> bytes:
        """`data` with `MARK` for each known token; the same object where there is none, else of the same length."""
        if not self._digests:
            return data
        found = [*self._plain(data), *self._in_base64(data)]
        if not found:
            return data
        written = bytearray(data)
        for start, replacement in found:
            written[start : start + len(replacement)] = replacement
        return bytes(written)

    def _plain(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        escaped = b"%" in data or b"u00" in data
        pattern = _SPELT if escaped else _TOKEN
        start = 0 if escaped else data.find(PREFIX)
        while start >= 0 and (match := pattern.search(data, start)):
            if self._is_known(_unescaped(match[0]) if escaped else match[0]):
                yield match.start(), MARK.ljust(len(match[0]), b"-")
                start = match.end()
            else:
                start = match.start() + 1  # another may begin inside

    def _in_base64(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        for needle, first, offset in _NEEDLES:
            at = data.find(needle)
            while at >= 0:
                group = at - first
                match = _BASE64.match(data, group) if group >= 0 else None
                if match and (replacement := self._reencoded(match[0], offset)):
                    yield group, replacement
                at = data.find(needle, at + 1)

    def _reencoded(self, text: bytes, offset: int) -> bytes | None:
        """`text`, base64 with a token at `offset` of what it encodes, with the mark there; `None` if it isn't that."""
        try:
            decoded = base64.b64decode(text.translate(_STANDARD) + b"=" * (-len(text) % 4))
        except binascii.Error:
            return None
        if not self._is_known(decoded[offset : offset + LENGTH]):
            return None
        encoded = base64.b64encode(decoded[:offset] + MARK + decoded[offset + LENGTH :])[: len(text)]
        return encoded if text.translate(_STANDARD) == text else encoded.translate(bytes.maketrans(b"+/", b"-_"))

    def _is_known(self, candidate: bytes) -> bool:
        return _TOKEN.fullmatch(candidate) is not None and hashlib.sha256(candidate).digest() in self._digests


class RedactedStream:
    """A callable for mitmproxy's `flow.request.stream` that passes a body on without the tokens in it.

    Takes the next bytes, `b""` at the end; returns the bytes to send now, perhaps none. The last bytes are held back
    while a token may have begun in them. Never raises.
    """

    def __init__(self, search: TokenSearch) -> None:
        self._search = search
        self._held = b""

    def __call__(self, data: bytes) -> list[bytes]:
        """Take in the next bytes."""
        redacted = self._search.redacted(self._held + data)
        kept = min(len(redacted), _LONGEST) if data else 0
        sent, self._held = redacted[: len(redacted) - kept], redacted[len(redacted) - kept :]
        return [sent] if sent else []


def _unescaped(text: bytes) -> bytes:
    while (decoded := _ESCAPED.sub(_character, text)) != text:  # each time shorter
        text = decoded
    return text


def _character(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[0][-2:], 16)])
