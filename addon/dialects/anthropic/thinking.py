"""Thinking: blocks in the history become `reasoning_content`, and signatures of ours bring back what wasn't shown.

A client that asks for `display: "omitted"` gets thinking blocks without text and sends them back unchanged
(docs/facts/anthropic.md#thinking). The signature of such a block carries the text, so that the next request can put it
back without anything being kept here. Nothing is made up where a text is unknown: a constant placeholder comes back as
the answer (docs/facts/anthropic.md#thinking).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

from ...exchange import JsonObject
from ..told import Told

_OURS: Final = b"hunyuan-fix:thinking:1:"
"""The bytes that a signature of this addon begins with, once base64 is undone."""
_BEGINNING: Final = base64.b64encode(_OURS).decode()[: len(_OURS) // 3 * 4]
"""How such a signature begins: the characters that don't depend on what follows."""
_SHOWN: Final = b"s"
_PLAIN: Final = b"p"
_DEFLATED: Final = b"z"
_LARGEST_RATIO: Final = 20
"""Bytes of text for a byte of a signature. A client can send what it likes: a text takes memory by the size of what
came. What compresses better (a model that repeats itself) is carried as it is."""


def signature(text: str, *, omitted: bool) -> str:
    """The signature of a thinking block: with `omitted` it carries `text`, else it only says whose it is.

    Base64, as Anthropic's own. A lone surrogate in `text` becomes U+FFFD.
    """
    if not omitted:
        return base64.b64encode(_OURS + _SHOWN).decode()
    plain = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    deflated = zlib.compress(plain, 6)
    fits = len(deflated) < len(plain) <= _LARGEST_RATIO * len(deflated)
    payload = _DEFLATED + deflated if fits else _PLAIN + zlib.crc32(plain).to_bytes(4) + plain
    return base64.b64encode(_OURS + payload).decode()


def is_ours(given: object) -> bool:
    """Whether `given` is a signature that this addon made, whole or damaged."""
    return _payload(given) is not None


def carried(given: object) -> str | None:
    """The text that a signature of ours carries; `None` for one that carries none, is foreign or damaged."""
    payload = _payload(given)
    if payload is None:
        return None
    kind, data = payload[:1], payload[1:]
    if kind == _PLAIN and data[:4] == zlib.crc32(data[4:]).to_bytes(4):
        return data[4:].decode("utf-8", "replace")
    return _inflated(data) if kind == _DEFLATED else None


def reasoning_of(block: JsonObject, pointer: str, told: Told) -> str | None:
    """The reasoning that a thinking block of the history stands for; `None` where its text is unknown.

    An empty text without a signature, or with one of ours, is what the model said, and stays: endpoints that want their
    reasoning back tell an empty one from none. With a foreign signature the text was left out by its vendor.
    """
    text, signed = block.get("thinking"), block.get("signature")
    if signed and not is_ours(signed):
        told.count(pointer, "the signature of another vendor is dropped")
    if isinstance(text, str) and text:
        return text
    hidden = carried(signed)
    if hidden is not None:
        return hidden
    if isinstance(text, str) and (not signed or is_shown(signed)):
        return text
    told.count(pointer, "thinking whose text was left out by its vendor is dropped")
    return None


def is_shown(given: object) -> bool:
    """Whether `given` is our signature of a block whose text is in the block itself."""
    return _payload(given) == _SHOWN


def _payload(given: object) -> bytes | None:
    if not isinstance(given, str) or not given.startswith(_BEGINNING):
        return None
    try:
        data = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data[len(_OURS) :] if data.startswith(_OURS) else None


def _inflated(data: bytes) -> str | None:
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(data, _LARGEST_RATIO * len(data) + 1)
    except zlib.error:
        return None
    if not reader.eof or reader.unused_data or len(plain) > _LARGEST_RATIO * len(data):
        return None
    return plain.decode("utf-8", "replace")
