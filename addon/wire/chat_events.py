"""What the bytes of a streamed chat answer tell without being read: it runs for every chunk of every stream."""

from __future__ import annotations


def go_on(raw: bytes) -> bool:
    """Whether whole events tell neither an end of the answer nor an error: no reason, no `[DONE]`, no `error`.

    Never wrong in saying yes; a no only means that the events have to be read. Written out and with `find`, which takes
    0.1 µs where `in` takes 0.3 (it first tries whether it was given a number).
    """
    found = raw.find
    return not (
        found(b'"error"') >= 0
        or found(b"[DONE]") >= 0
        or found(b"\\u00") >= 0  # a key may be spelt with escapes
        or says_more_than_null(raw, b'"finish_reason"')
    )


def says_more_than_null(raw: bytes, key: bytes) -> bool:
    """Whether anything but `null` stands after one of the `key`s in `raw`, or may."""
    place = raw.find(key)
    while place >= 0:
        place += len(key)
        if raw[place : place + 5] != b":null" and raw[place : place + 6] != b": null":
            return True
        place = raw.find(key, place)
    return False
