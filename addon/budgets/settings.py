"""The options of budgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from ..config import values as read
from ..config.option import option
from . import periods
from .lines import Budgets, budgets


@dataclass(frozen=True)
class BudgetSettings:
    """What may be spent, and where that is counted."""

    budgets: Budgets = option(
        "",
        "What may be spent in a day or a month, in tokens or money, by client, by session and in all, comma separated: "
        "client:alice day 2M tokens, client:* month 50 CNY, session:* day 500k tokens, all month 300 CNY. A request "
        "that comes after it is refused for good (400); from 80 % on answers have a warning.",
        budgets,
    )
    budget_zone: ZoneInfo | None = option(
        "",
        "The time zone in which budgets begin anew, such as Asia/Shanghai. Default: this machine's.",
        read.optional(periods.zone),
    )
    budgets_file: Path | None = option(
        "",
        "The SQLite file in which budgets are counted where hunyuan_store names no Redis; all workers of a machine "
        "share it. Default: budgets.sqlite3 in the user's data folder.",
        read.optional(read.path),
    )
