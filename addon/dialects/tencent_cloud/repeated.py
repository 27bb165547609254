"""Events of a stream that differ from one that was read in their text and in the numbers of their usage alone.

Most do. Such an event becomes a chat event without being parsed: its text is valid in JSON as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from ...exchange import JsonObject

_TEXT: Final = b'"Content":"'
_CHAT_TEXT: Final = b'"content":"'
_USAGE: Final = b'"Usage":'
_GOES_ON: Final = b'"FinishReason":""'
_DIGITS: Final = b"0123456789"
_PLAIN = re.compile(rb"(?:[ !#-\[\]-~]|[\xc3-\xdf][\x80-\xbf]|[\xe3-\xec][\x80-\xbf]{2}|\xef[\xbc-\xbd][\x80-\xbf])+")
"""Text without quotation marks, backslashes and control characters, in valid UTF-8."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """What stands around the text of an event, and of the chat event that it became."""

    before: bytes
    between: bytes
    """Between the text and the usage."""
    usage: bytes
    """The usage and what follows, without digits."""
    chat_before: bytes
    chat_after: bytes

    @classmethod
    def of(cls, data: bytes, chunks: list[JsonObject], made: bytes) -> Self | None:
        """By the `data` of an event that became one chat event, `made`, with the only one of `chunks`.

        `None` where more is said than a text, or anything is spelt in another way than usual.
        """
        if len(chunks) != 1 or set(chunks[0]) - _FIELDS or not _says_text_alone(chunks[0]):
            return None
        before, mark, rest = data.partition(_TEXT)
        text, quote, after = rest.partition(b'"')
        between, _, usage = after.partition(_USAGE)
        chat_before, chat_mark, chat_rest = made.partition(_CHAT_TEXT)
        if not (mark and quote and usage and chat_mark and chat_rest.startswith(text) and _PLAIN.fullmatch(text)):
            return None
        if data.count(_TEXT) != 1 or data.count(_GOES_ON) != 1 or _GOES_ON in usage:
            return None
        return cls(
            before + mark,
            quote + between + _USAGE,
            usage.translate(None, _DIGITS),
            chat_before + chat_mark,
            chat_rest[len(text) :],
        )

    def chat_event(self, data: bytes) -> bytes | None:
        """The chat event for the `data` of one that differs in text and numbers alone; `None` for any other."""
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        end = data.find(b'"', start)
        if not data.startswith(self.between, end) or end <= start:
            return None
        if data[end + len(self.between) :].translate(None, _DIGITS) != self.usage:
            return None
        text = data[start:end]
        return self.chat_before + text + self.chat_after if _PLAIN.fullmatch(text) else None


_FIELDS: Final = frozenset(["id", "object", "created", "model", "choices"])


def _says_text_alone(chunk: JsonObject) -> bool:
    choices = chunk["choices"]
    return len(choices) == 1 and choices[0]["delta"].keys() == {"content"} and not choices[0]["finish_reason"]
