"""Which versions run: the labels of `hunyuan_build_info`."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata


@cache
def versions() -> tuple[str, str, str]:
    """The versions of hunyuan-fix, Python and mitmproxy; `unknown` for a package run from its folder, uninstalled."""
    return _version("hunyuan-fix"), platform.python_version(), _version("mitmproxy")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
