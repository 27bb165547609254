"""Finds the API that a request's path is for, however the client built its base URL. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

MODELS = "/models"
"""The end of the path of the list of models, below a base URL. The other ends are those of `dialects.DIALECTS`."""

CHAT = "/chat/completions"
"""The end of the path of chat calls."""

ID = "{id}"
"""A part of an API's path that stands for any id: `/responses/{id}`."""

_ID = re.compile(r"[a-z]+_[a-z0-9_.-]+")
"""An id, in lower case. The words of paths have no underscore, but for a few that are APIs of their own."""
_ID_PARTS = 3
"""Parts that the id of a model may have in a path."""
_VERSION = re.compile(r"v\d+")
_UNRESERVED = re.compile(r"%(4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|3\d|2[DE]|5F|7E)", re.IGNORECASE)
"""Percent-encoded characters that mean the same without the encoding (RFC 3986 sections 2.3 and 6.2.2.2)."""


def read(path: str, apis: Sequence[str]) -> tuple[str, str | None]:
    """The path of the base URL and the API that `path`, without its query, means: one of `apis`, or `MODELS`.

    `"", None` for any other path. `apis` are ends of paths below a base URL (`/chat/completions`), in lower case; the
    longest that fits counts, one with an `ID` in it last. Read as the same: a trailing or doubled slash, capital
    letters, percent-encoded letters, a version given twice (`/v1/v1/models`), and an API's path given as the base URL
    (`/v1/chat/completions/chat/completions`): as in rohitg00/agentmemory#628 and FerroxLabs/wayland#1178. Other parts
    of the base stay as they were sent.
    """
    ends = sorted((_parts(api) for api in (*apis, MODELS)), key=lambda end: (-len(end), ID in end))
    parts = _parts(path)
    words = [_normal(part) for part in parts]
    end = _end(words, ends)
    if end is None:
        return "", None
    del words[-len(end) :]
    version = ""
    while words:
        last, given = words[-1], _end(words, ends)
        if given is not None and given != _parts(MODELS):  # a base URL may end with /models by itself
            del words[-len(given) :]
        elif last == version or (not version and _VERSION.fullmatch(last)):
            version = words.pop()
        else:
            break
    base = [*parts[: len(words)], *([version] if version else [])]
    return _joined(base), _joined(end)


def filled(api: str, path: str) -> str:
    """`api`, which `read` found in `path`, with the ids that stand in `path`."""
    parts = _parts(api)
    return _joined(
        [sent if part == ID else part for part, sent in zip(parts, _parts(path)[-len(parts) :], strict=True)]
    )


def of_model(path: str) -> tuple[str, str]:
    """The path of the list of models and what follows it, of a path for one model; `path` and `""` for any other.

    What follows is the model's id as it was sent, percent-encoded or not. It may have slashes: `org/name`.
    """
    parts = _parts(path)
    for place in range(len(parts) - 2, max(-1, len(parts) - 2 - _ID_PARTS), -1):
        if _normal(parts[place]) == "models":
            return _joined(parts[: place + 1]), _joined(parts[place + 1 :])
    return path, ""


def normal(path: str) -> str:
    """`path` in the form for comparisons: no doubled or trailing slashes, letters not encoded and in lower case."""
    return _joined([_normal(part) for part in _parts(path)])


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _normal(part: str) -> str:
    return _UNRESERVED.sub(lambda match: chr(int(match[1], 16)), part).lower()


def _joined(parts: Sequence[str]) -> str:
    return "".join(f"/{part}" for part in parts)


def _end(words: list[str], ends: Sequence[list[str]]) -> list[str] | None:
    return next((end for end in ends if _is_end(words[-len(end) :], end)), None)


def _is_end(words: list[str], end: list[str]) -> bool:
    if ID not in end:
        return words == end
    return len(words) == len(end) and all(
        _ID.fullmatch(word) is not None if part == ID else word == part for word, part in zip(words, end, strict=True)
    )
