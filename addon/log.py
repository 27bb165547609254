"""What goes into the log, and what never does: no message content, no key."""

from __future__ import annotations

import re
import traceback

from addon.record import Record


def exchange(record: Record, outcome: str) -> str:
    """The line of one exchange; `outcome` is its status or how else it ended."""
    parts = [
        plain(record["method"]),
        plain(record["path"]),
        f"model={plain(record['model']) or '-'}",
        f"rules={','.join(record['rules']) or '-'}",
        f"vision_calls={record['vision_calls']}",
        f"cached={record['cached']}",
        f"addon_ms={record['milliseconds']:.1f}",
        f"-> {outcome}",
    ]
    return " ".join(parts)


def failure(error: BaseException) -> str:
    """Type and stack of an exception and its causes. Not its text: that may quote what was in a message."""
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
    """`text` from a client as one word of at most 80 printable ASCII characters."""
    return re.sub(r"[^\x21-\x7e]", "?", text)[:80]
