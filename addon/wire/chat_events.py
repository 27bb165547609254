"""Quick checks on the bytes of a streamed chat answer, without parsing: they run for every chunk of every stream."""

from __future__ import annotations


def go_on(raw: bytes) -> bool:
    """Whether whole events contain neither an end of the answer nor an error: no reason, no `[DONE]`, no `error`.

    `True` is certain; `False` means that the events have to be parsed. Written with `find`, which takes 0.1 µs where
    `in` takes 0.3 (it first checks whether it was given a number).
    """
    found = raw.find
    return not (
        found(b'"error"') >= 0
        or found(b"[DONE]") >= 0
        or found(b"\\u00") >= 0  # a key may be spelt with escapes
        or says_more_than_null(raw, b'"finish_reason"')
    )


def says_more_than_null(raw: bytes, key: bytes) -> bool:
    """Whether anything but `null` may stand after any of the `key`s in `raw`."""
    place = raw.find(key)
    while place >= 0:
        place += len(key)
        if raw[place : place + 5] != b":null" and raw[place : place + 6] != b": null":
            return True
        place = raw.find(key, place)
    return False
