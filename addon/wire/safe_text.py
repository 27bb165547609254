"""Text that may stand in a log, a metric or an answer: no message content, no key, no control characters."""

from __future__ import annotations

import re
import traceback

MAX_WORD = 80
"""Characters of a client's text that `plain` keeps."""

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Controls, line ends, lone surrogates, and marks that turn the direction of writing."""
_UNSEEN_IN_LINES = re.compile(rf"(?![\t\n]){_UNSEEN.pattern}")


def traceback_without_text(error: BaseException) -> str:
    """Types and stacks of an exception and its causes, one line for each frame.

    The exceptions' messages are left out: they may quote a chat message or a key.
    """
    lines = []
    link: BaseException | None = error
    while link is not None:
        kind = type(link)
        lines.append(f"{kind.__module__}.{kind.__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(link.__traceback__)
        ]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(lines)


def plain(text: str) -> str:
    """`text` from a client as one word of at most `MAX_WORD` printable ASCII characters, others replaced by `?`."""
    return _UNPRINTABLE.sub("?", text[:MAX_WORD])


def lines(text: str) -> str:
    """`text` without what can't be seen but ends of lines and tabs: nothing in it moves a terminal's cursor, changes
    what stands before it, or is taken for the end of a line by other programs.
    """
    return _UNSEEN_IN_LINES.sub("?", text)


def in_json(text: str) -> str:
    """A text in JSON with what `lines` replaces written as escapes, which mean the same."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def line(text: str, most: int) -> str:
    """`text` from elsewhere as a piece of one line, of at most `most` characters, which moves no terminal's cursor.

    What can't be seen is replaced by `?`. Blanks and letters of every language stay.
    """
    return _UNSEEN.sub("?", text[:most])
