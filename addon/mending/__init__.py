"""Mending: a refusal that says what is wrong becomes data of the model's, and the request is sent once more under it.

Pure: `reading` reads errors, with the patterns of `errors.toml`; `learnt` keeps what helped. What sends is in `hooks`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..config import values as read
from ..config.option import option


@dataclass(frozen=True)
class MendSettings:
    """Whether refused requests are mended."""

    mend: str = option(
        "on",
        "Send a refused request once more, mended, where the endpoint's error says what is wrong: on, off. Calls "
        "of thinking models and of unknown ones go through the relay for it.",
        read.choice("on", "off"),
    )
