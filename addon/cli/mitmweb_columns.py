"""The columns of mitmweb's list under `run --web`: what the addon's comment tells stands first, the path beside it."""

from __future__ import annotations

from collections.abc import Sequence

COLUMNS = ("icon", "comment", "path", "status", "size", "time", "timestamp")
"""mitmweb's own are tls, icon, path, method, status, size and time: all rows of one endpoint look alike by these."""
_OPTION = "web_columns"


def arguments(given: Sequence[str]) -> list[str]:
    """The arguments for mitmweb that choose `COLUMNS`; none where the arguments `given` choose others."""
    if any(word.removeprefix("--set=").startswith(f"{_OPTION}=") for word in given):
        return []
    return [word for column in COLUMNS for word in ("--set", f"{_OPTION}={column}")]
