"""An exchange as a curl command for bash: the request as its client sent it, to where that was, without its key.

    printf %s '{"model":"hy3","messages":[]}' |
      curl --globoff --url 'https://api.hunyuan.cloud.tencent.com/v1/chat/completions' \\
        -H 'content-type: application/json' -H "authorization: Bearer $API_KEY" --data-binary @-

The body comes by standard input: the system takes no argument of more than 128 KB. Whatever it holds, bash reads
nothing in it but text: quotes are written out, and what a terminal could take for a command is written as digits.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from ..exchange import Response
from ..wire import proxy_errors
from .content import Content
from .raw import TEXT, Answer, no_body, of_exchange
from .sources import Sources

KEY: Final = "$API_KEY"
_OWN: Final = frozenset(["accept-encoding", "content-encoding", "content-length", "host"])
"""Headers that curl writes itself, or that say how the body was packed: it isn't any more."""
_WITHOUT: Final = ("accept", "content-type", "user-agent", "expect")
"""Headers that curl adds where nobody says that it shall not."""
_CA: Final = '"${CA_FILE:-$HOME/.mitmproxy/mitmproxy-ca-cert.pem}"'
"""The certificate of the proxy's authority, where mitmproxy keeps it."""


def curl(sources: Sources, values: Mapping[str, Any], language: str) -> Awaitable[Answer]:
    """The command for an exchange (`id`)."""

    def answer(content: Content) -> Answer:
        if content.came is None and content.why:
            return no_body(content.why)
        if not content.url:
            return proxy_errors.ADMIN_NO_CONTENT()
        return Response(200, dict(TEXT), command(content))

    return of_exchange(sources, values["id"], answer)


def command(content: Content) -> bytes:
    """The command, with a line end."""
    method = str(content.exchange.get("method") or "POST").encode()
    body = content.came or b""
    words = [b"curl --globoff --url %s" % _url(content.url)]
    if content.proxy:
        words.append(b"--proxy %s" % _quoted(content.proxy.encode()))
        if content.url.startswith("https:"):
            words.append(b"--cacert %s" % _CA.encode())
    if method == b"HEAD":
        words.append(b"--head")
    elif method != (b"POST" if body else b"GET"):
        words.append(b"-X %s" % _quoted(method))
    given = [(name, value) for name, value in content.headers if name.lower() not in _OWN]
    for name, value in given:
        line = f"{name}: {value}" if value.strip() else f"{name};"
        words.append(b"-H %s" % _quoted(line.encode("latin-1", "replace")))
    names = {name.lower() for name, _ in given}
    words += [b"-H '%s:'" % name.encode() for name in _WITHOUT if name not in names]
    if content.before_key:
        words.append(b'-H "%s%s"' % (content.before_key.encode(), KEY.encode()))
    if body:
        words.append(b"--data-binary @-")
    return (_printed(body) + b" |\n  " if body else b"") + b" \\\n    ".join(words) + b"\n"


def _url(url: str) -> bytes:
    """The URL as a word, with the key in the place of what was left out of its query."""
    return (b'"%s"' % KEY.encode()).join(_quoted(part.encode()) for part in url.split(_REDACTED))


_REDACTED: Final = "[redacted]"


def _printed(body: bytes) -> bytes:
    """A command that writes `body`."""
    if _is_plain(body):
        return b"printf %%s %s" % _quoted(body)
    # As the format: it alone can write a NUL.
    escaped = body.replace(b"\\", b"\\\\").replace(b"%", b"%%").replace(b"'", b"'\\''")
    return b"printf '%s'" % re.sub(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", lambda found: b"\\%03o" % found[0][0], escaped)


def _quoted(text: bytes) -> bytes:
    """`text`, without a NUL, as one word of bash."""
    if _is_plain(text):
        return b"'%s'" % text.replace(b"'", b"'\\''")
    escaped = text.replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    return b"$'%s'" % re.sub(rb"[\x00-\x1f\x7f-\xff]", lambda found: b"\\%03o" % found[0][0], escaped)


def _is_plain(text: bytes) -> bool:
    """Whether a terminal takes all of `text` for text."""
    if _CONTROL.search(text):
        return False
    try:
        return text.isascii() or not _CONTROL_CHARACTER.search(text.decode())
    except UnicodeDecodeError:
        return False


_CONTROL: Final = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
_CONTROL_CHARACTER: Final = re.compile(r"[\x80-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Those of Unicode: a terminal may obey the first, and the others show text in another order than it has."""
