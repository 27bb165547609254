"""The tokens of a body as it goes over the wire, from a sample of its bytes: where an endpoint doesn't say them.

It takes a fraction of a millisecond, whatever the size, but for a search for images in it.
"""

from __future__ import annotations

import re
from typing import Final

from ..images import pixels
from . import text

_SAMPLE: Final = 1 << 11
"""Characters that are looked at."""
_BLOCK: Final = 1 << 8
"""Bytes of one piece of that sample."""
_TOKENS_A_STREAMED_BYTE: Final = 0.01
"""An event of a stream has 100 to 200 bytes for one or two tokens."""
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{1000,}={0,2}")
"""A file in a body. Words and numbers have other characters between them."""
_AS_IMAGE: Final = "data:image/png;base64,"
"""What its size is read from says itself what it is."""
_HEAD: Final = 1 << 16
"""Characters of it in which its size stands."""
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_MEANT: Final = {"n": "\n", "t": "\t", "r": "\r"}

_SAID: Final = {
    "anthropic": re.compile(rb'"(?:text|thinking|partial_json)"\s*:\s*"((?:[^"\\]|\\.)*)"'),
    "responses": re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"'),
    "tencent": re.compile(rb'"(?:Content|ReasoningContent|Arguments)"\s*:\s*"((?:[^"\\]|\\.)*)"'),
    "chat": re.compile(rb'"(?:content|reasoning_content|reasoning|arguments)"\s*:\s*"((?:[^"\\]|\\.)*)"'),
}
"""What a model says, in the events of a stream and in a whole answer of each format."""


def of_request(body: bytes) -> int:
    """The tokens of a request's `body`, in JSON of any format: some percent off, at least 1."""
    images = 0
    if b"base64," in body or b'"base64"' in body:
        files = _BASE64.findall(body)
        images = sum(pixels.tokens(_AS_IMAGE + file[:_HEAD].decode()) for file in files)
        body = _BASE64.sub(b"", body) if files else body
    return max(1, images + _rough(body))


def of_answer(body: bytes, spoken: str, passed: int, *, streamed: bool) -> int:
    """The tokens of what a model has said in `body`, the first bytes of an answer of which `passed` went by.

    `spoken`: the name of its format's dialect. Without any of the bytes they are told by their number.
    """
    if not body:
        return round(passed * (_TOKENS_A_STREAMED_BYTE if streamed else 0.25))
    said = b"".join(_SAID.get(spoken.partition("-")[0], _SAID["chat"]).findall(body))
    if not said and not streamed:
        said = b"".join(_SAID["anthropic"].findall(body))  # a whole response
    return round(_rough(said) * max(1.0, passed / len(body)))


def _rough(data: bytes) -> int:
    """The tokens of the text in `data`, which JSON has escaped, from a sample of it."""
    if not data:
        return 0
    sample = data
    if len(data) > 2 * _SAMPLE:
        count = _SAMPLE // _BLOCK
        stride = (len(data) - _BLOCK) / (count - 1)
        sample = b"".join(data[int(place * stride) : int(place * stride) + _BLOCK] for place in range(count))
    meant = sample.decode("utf-8", "ignore")
    if "\\" in meant:
        meant = _ESCAPED.sub(_unescaped, meant)
    return round(text.tokens(meant) * len(data) / len(sample))


def _unescaped(found: re.Match[str]) -> str:
    code, letter = found.groups()
    return chr(int(code, 16)) if code else _MEANT.get(letter, letter)
