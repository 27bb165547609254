"""Options of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...config import values as read
from ...config.option import option


@dataclass(frozen=True)
class UsageSettings:
    """What calls used, and for how long that is kept."""

    usage: Literal["seen", "ask"] = option(
        "seen",
        "What streams used: as their answers say (seen), or asked for where clients don't, and taken out again (ask).",
        read.choice("seen", "ask"),
    )
    usage_days: int = option(
        "90",
        "Days for which what each call used and cost is kept, for hunyuan-fix usage; 0: nothing is kept.",
        read.count(0),
    )
