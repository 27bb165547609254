"""Options of the page, declared here because every reader of options is below its room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import values as read
from .option import option

type Kept = Literal["auto", "true", "false"]


@dataclass(frozen=True)
class PageSettings:
    """What is kept for the page in a browser (`page.contents`)."""

    page_content: Kept = option(
        "auto",
        "Whether the page shows what requests and answers say. auto: only while the admin server listens on this "
        "machine alone and hunyuan_trust_loopback holds. Kept in memory, never on a disk.",
        read.choice("auto", "true", "false"),
    )
    page_bytes: int = option(
        "64m",
        "Memory for what the last requests and answers say, compressed; the oldest go first.",
        read.size,
    )
    """Bytes."""
