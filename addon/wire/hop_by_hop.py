"""Headers that belong to one connection and are not passed on (RFC 9110 section 7.6.1). Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Names in lower case: those of the section, and `proxy-…`, which are between a client and its proxy."""


def end_to_end(
    headers: Sequence[tuple[bytes, bytes]], left_out: Collection[bytes] = frozenset()
) -> list[tuple[bytes, bytes]]:
    """`headers` without those that belong to the connection they came by, and without `left_out` (lower case).

    Those are the hop-by-hop headers, and whatever `Connection` names.
    """
    named = {
        name.strip().lower() for given, value in headers if given.lower() == b"connection" for name in value.split(b",")
    }
    dropped = HOP_BY_HOP | named | frozenset(left_out)
    return [(name, value) for name, value in headers if name.lower() not in dropped]
