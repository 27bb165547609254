"""Which API a request's path is for, however the client put its base URL together. Pure."""

from __future__ import annotations

import re

CHAT, EMBEDDINGS, MODELS = "/chat/completions", "/embeddings", "/models"
"""The ends of the paths that are known, as they stand below a base URL."""

_APIS = tuple((api, api.removeprefix("/").split("/")) for api in (CHAT, EMBEDDINGS, MODELS))
_VERSION = re.compile(r"v\d+")
_UNRESERVED = re.compile(r"%(4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|3\d|2[DE]|5F|7E)", re.IGNORECASE)
"""Percent-encoded characters that mean the same without the encoding (RFC 3986 sections 2.3 and 6.2.2.2)."""


def read(path: str) -> tuple[str, str | None]:
    """The path of the base URL and the API (`CHAT`, `EMBEDDINGS`, `MODELS`) that `path`, without its query, means.

    `"", None` for any other path. Read as the same: a trailing or doubled slash, capital letters, percent-encoded
    letters, a version given twice (`/v1/v1/models`), and an API's path given as the base URL
    (`/v1/chat/completions/chat/completions`): as in rohitg00/agentmemory#628 and FerroxLabs/wayland#1178. Other parts
    of the base stay as they were sent.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    words = [_UNRESERVED.sub(lambda match: chr(int(match[1], 16)), part).lower() for part in parts]
    api = _api(words)
    if api is None:
        return "", None
    del words[-api.count("/") :]
    version = ""
    while words:
        last, given = words[-1], _api(words)
        if given is not None and given != MODELS:  # a base URL may end with /models by itself
            del words[-given.count("/") :]
        elif last == version or (not version and _VERSION.fullmatch(last)):
            version = words.pop()
        else:
            break
    base = [*parts[: len(words)], *([version] if version else [])]
    return "".join(f"/{part}" for part in base), api


def _api(words: list[str]) -> str | None:
    return next((api for api, end in _APIS if words[-len(end) :] == end), None)
