"""What goes into the log, and what never does: no message content, no key."""

from __future__ import annotations

import os
import re
import traceback
from typing import TextIO

from mitmproxy.utils import vt_codes

from addon.record import Record

UNTRUSTED = (
    "TLS with a client for %s failed; most likely it doesn't trust the proxy's CA. For that client set "
    "SSL_CERT_FILE (Python, curl, Rust) to %s and NODE_EXTRA_CA_CERTS (Node) to %s and start it anew; scripts/env "
    "prints these variables%s."
)
"""For a host and the paths of the bundle (`SSL_CERT_FILE` replaces a client's roots: it needs the others, too) and of
the CA alone; last `NO_BUNDLE` or nothing."""
NO_BUNDLE = " and makes the first of these files, which isn't there"

SHUT_DOWN = (
    "%s WAS SHUT DOWN on %s: requests to it, and to the reverse port before it, get no answer. Add "
    "--set hunyuan_upstream=%s to send them to its successor, which needs a key of its own."
)
"""For a host, a day and the successor's base URL."""

UNREACHABLE = "%s can't be reached. hunyuan_upstream=URL would send its requests elsewhere."
"""For a host: the old platform has been shut down."""


_WORTH_SAYING = 1.0
"""Milliseconds in the queue from which on the line says so."""


def exchange(record: Record, outcome: str, *, colours: bool = False) -> str:
    """The line of one exchange; `outcome` is its status or how else it ended."""
    rules = ",".join(record["rules"]) or "-"
    if colours:
        rules = _styled(rules, "cyan") if record["rules"] else rules
        outcome = _styled(outcome, "green" if outcome.startswith("2") else "red")
    head = [plain(record["method"]), plain(record["path"])]
    if not record["endpoint"] and not record["rules"]:
        return " ".join([*head, "untouched", f"-> {outcome}"])
    observed = record["mode"] == "observe"
    parts = [
        *head,
        f"model={plain(record['model']) or '-'}",
        f"{'would_apply' if observed else 'rules'}={rules}",
        f"{'would_call' if observed else 'vision_calls'}={record['vision_calls']}",
        f"cached={record['cached']}",
        f"addon_ms={record['milliseconds']:.1f}",
        *([f"queue_ms={record['queued']:.0f}"] if record["queued"] >= _WORTH_SAYING else []),
        *([f"tries={record['tries']}"] if record["tries"] > 1 else []),
        *([f"client={record['client']}"] if record["client"] else []),
        f"-> {outcome}",
    ]
    return " ".join(parts)


_STYLES = {"cyan": "36", "green": "32", "red": "31"}


def _styled(text: str, colour: str) -> str:
    return f"\x1b[{_STYLES[colour]}m{text}\x1b[0m"


def shows_colours(stream: TextIO) -> bool:
    """Whether what goes to `stream` may carry colours: a terminal whose user hasn't set NO_COLOR."""
    return bool(vt_codes.ensure_supported(stream)) and not os.environ.get("NO_COLOR")


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
