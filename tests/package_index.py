"""The package index that pip is configured for (a mirror, a folder), for other programs than pip, and pip's cache."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from functools import cache

_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
}
"""pip's option -> the variable by which uv takes the same."""

_COMMAS = {"UV_FIND_LINKS"}
"""Variables whose values are separated by commas; the others' by spaces."""


def for_uv(listing: str) -> dict[str, str]:
    """Variables by which uv takes packages from where pip does; `listing` is what `pip config list` prints."""
    found: dict[str, list[str]] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        variable = _UV.get(name.rpartition(".")[2])
        words = " ".join(shlex.split(value.replace("\\n", " "))).split()
        # The file's value first, then the environment's, which counts.
        if variable and words and (variable not in found or name.startswith(":env:")):
            found[variable] = words
    joined = {name: ("," if name in _COMMAS else " ").join(words) for name, words in found.items()}
    # As pip chooses: the best version, whichever index has it.
    return {**joined, "UV_INDEX_STRATEGY": "unsafe-best-match"}


@cache
def for_pip() -> Mapping[str, str]:
    """What pip itself takes from the environment here, and its cache."""
    given = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return {**given, "PIP_CACHE_DIR": _pip("cache", "dir").strip()}


@cache
def variables() -> Mapping[str, str]:
    """What a user with another home folder needs so that uv finds this machine's index, and pip its cache."""
    listing = _pip("config", "list")
    cache_folder = _pip("cache", "dir").strip()
    return {
        **for_uv(listing),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_CACHE_DIR": cache_folder,
    }


def _pip(*words: str) -> str:
    command = [sys.executable, "-m", "pip", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
