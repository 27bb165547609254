"""The columns of mitmweb's list under `run --web`: the addon's comment, which tells requests apart, and little else."""

from __future__ import annotations

from collections.abc import Sequence

COLUMNS = ("comment", "status", "time")
"""mitmweb's own are tls, icon, path, method, status, size and time. All requests to an endpoint look alike by
these, and its style sheet gives the path all the room: beside it a comment has 150 pixels."""
_OPTION = "web_columns"
_ALL_HOSTS = "hunyuan_intercept_all=true"
"""With it the list has flows that have no comment."""


def arguments(given: Sequence[str]) -> list[str]:
    """The arguments for mitmweb that choose `COLUMNS`; none where the arguments `given` need others."""
    words = [word.removeprefix("--set=") for word in given]
    if _ALL_HOSTS in words or any(word.startswith(f"{_OPTION}=") for word in words):
        return []
    return [word for column in COLUMNS for word in ("--set", f"{_OPTION}={column}")]
