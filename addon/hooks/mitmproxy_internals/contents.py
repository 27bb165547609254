"""What mitmproxy shows of a message's content: of a stream that is under way, what has come of it by now.

mitmproxy keeps no content of a streamed message and asks no view about one without content (`prettify_message` says
"Content is missing."). The message itself stays without: mitmproxy saves it, and other addons read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mitmproxy import http
from mitmproxy.contentviews import _utils

_get_data: Callable[[Any], tuple[bytes | None, str]] = _utils.get_data


def get_data(message: Any) -> tuple[bytes | None, str]:
    """In place of `get_data`: content for display, and what was undone to get it."""
    if isinstance(message, http.Response) and message.raw_content is None:
        kept = getattr(message.stream, "kept", None)  # `stream` may be a bool, or another addon's callable
        return (kept if isinstance(kept, bytes) else None), ""
    return _get_data(message)
