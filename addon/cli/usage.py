"""Print what calls used and cost, from the ledger's file: `hunyuan-fix usage`.

hunyuan-fix usage --by model --since 7d
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from ..columns import width
from ..observe.ledger import file, sums
from ..observe.ledger.rows import KINDS
from ..observe.ledger.sums import KEYS, Amounts, Sum, Wanted
from ..stores.store import StoreError
from ..texts.terminal import say
from .arguments import Parser

_AGO: Final = re.compile(r"([0-9]{1,5})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula."""


def command_line(prefix: str) -> Parser:
    """The parser of the command."""
    parser = Parser(
        f"{prefix}usage",
        description=say(
            "Prints what the calls of the proxies on this machine used and cost: a call is one that an endpoint may "
            "bill, retries and calls of the proxy's own (vision, embeddings, searches) among them. Tokens are those "
            "that answers say; what had to be estimated stands apart. Costs are by the prices of the profiles, each "
            "currency by itself. Days are those of this machine's time zone."
        ),
        epilog=say("Exit status: 0 printed, 1 nothing is kept or it can't be read, 2 wrong usage."),
    )
    parser.add_argument("--by", choices=tuple(KEYS), default="day", help=say("what to add up by (default: day)"))
    parser.add_argument(
        "--since", type=_moment, metavar="D", help=say("from this day on: 2026-11-29, or 12h, 7d, 4w ago")
    )
    parser.add_argument("--until", type=_moment, metavar="D", help=say("up to and with this day, or until so long ago"))
    parser.add_argument(
        "--client", action="append", default=[], metavar="NAME", help=say("of this client alone; may be repeated")
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="ID",
        help=say("of this model alone, as asked for or as sent on; may be repeated"),
    )
    parser.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help=say("how to print (default: table)")
    )
    parser.add_argument(
        "--file", type=Path, metavar="PATH", help=say("the ledger's file (default: that of the data folder)")
    )
    return parser


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print the sums; returns the exit status."""
    parser = command_line(prefix)
    given: argparse.Namespace = parser.parse_args(arguments)
    wanted = _wanted(given)
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        parser.error(say("--since is not before --until"))
    path: Path = given.file or file.default_path()
    try:
        connection = file.reading(path)
        try:
            found = sums.sums(connection, given.by, wanted)
        finally:
            connection.close()
    except FileNotFoundError:
        said = say(
            "Nothing is kept yet: there is no file {path}. A proxy makes it at its first call, unless "
            "hunyuan_usage_days is 0.",
            path=path,
        )
        print(said, file=sys.stderr)
        return 1
    except (StoreError, sqlite3.Error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        print(say("{path} can't be read: {why}", path=path, why=why), file=sys.stderr)
        return 1
    match given.format:
        case "json":
            print(_json(found, given, path))
        case "csv":
            _print_csv(found, given.by)
        case _:
            print(_table(found, given.by))
    return 0


def _moment(text: str) -> tuple[float, float]:
    """The beginning of a day and its end, in Unix time; of a moment so long ago both are that moment."""
    if ago := _AGO.fullmatch(text):
        moment = time.time() - 3600 * int(ago[1]) * _HOURS[ago[2]]
        return moment, moment
    try:
        day = datetime.strptime(text, "%Y-%m-%d")
        return day.timestamp(), (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(say("a day such as 2026-11-29, or 12h, 7d or 4w ago")) from None


def _wanted(given: argparse.Namespace) -> Wanted:
    return Wanted(
        since=given.since[0] if given.since else None,
        until=given.until[1] if given.until else None,
        clients=given.client,
        models=given.model,
    )


def _currencies(found: Sequence[Sum]) -> list[str]:
    return sorted({currency for one in found for part in (one.counted, one.estimated) for currency in part.cost})


# JSON


def _json(found: Sequence[Sum], given: argparse.Namespace, path: Path) -> str:
    rows: list[dict[str, Any]] = [{given.by: one.key, **_plain(one)} for one in found]
    return json.dumps(
        {"file": str(path), "by": given.by, "rows": rows, "total": _plain(sums.total(found))},
        ensure_ascii=False,
        indent=2,
    )


def _plain(one: Sum) -> dict[str, Any]:
    return {
        "calls": one.calls,
        "failed": one.failed,
        "cancelled": one.cancelled,
        "tokens": one.counted.tokens,
        "cost": _costs(one.counted),
        "unpriced_calls": one.unpriced,
        "estimated": {
            "calls": one.estimated.calls,
            "tokens": one.estimated.tokens,
            "cost": _costs(one.estimated),
        },
    }


def _costs(amounts: Amounts) -> dict[str, float]:
    return {currency: float(cost) for currency, cost in amounts.costs().items()}


# CSV


def _print_csv(found: Sequence[Sum], by: str) -> None:
    currencies = _currencies(found)
    names = [by, "calls", "failed", "cancelled", *KINDS, *(f"cost_{currency}" for currency in currencies)]
    names += ["unpriced_calls", "estimated_calls", *(f"estimated_{kind}" for kind in KINDS)]
    names += [f"estimated_cost_{currency}" for currency in currencies]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for one in found:
        costs, estimated = one.counted.costs(), one.estimated.costs()
        cells: list[object] = [_harmless(one.key), one.calls, one.failed, one.cancelled, *one.counted.tokens.values()]
        cells += [_number(costs.get(currency)) for currency in currencies]
        cells += [one.unpriced, one.estimated.calls, *one.estimated.tokens.values()]
        cells += [_number(estimated.get(currency)) for currency in currencies]
        writer.writerow(cells)


def _harmless(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _number(cost: Decimal | None) -> str:
    """An amount; `""`: not known."""
    return "" if cost is None else f"{cost.normalize():f}"


# Table


def _table(found: Sequence[Sum], by: str) -> str:
    if not found:
        return say("No calls.")
    currencies = _currencies(found)
    kinds = [kind for kind in KINDS if any(one.counted.tokens[kind] for one in found)] or ["input", "output"]
    heads = {
        "day": say("day"),
        "client": say("client"),
        "model": say("model"),
        "session": say("session"),
        "purpose": say("made for"),
        "input": say("input"),
        "cached": say("cached"),
        "written": say("written to cache"),
        "output": say("output"),
        "reasoning": say("reasoning"),
    }
    lines = [[heads[by], say("calls"), say("failed"), *(heads[kind] for kind in kinds), *currencies]]
    everything = sums.total(found)
    everything.key = say("together")
    shown = [*found, everything] if len(found) > 1 else found
    for one in shown:
        costs = one.counted.costs()
        cells = [one.key or "-", f"{one.calls:,}", f"{one.failed:,}"]
        cells += [f"{one.counted.tokens[kind]:,}" for kind in kinds]
        cells += [_shown(costs.get(currency)) for currency in currencies]
        lines.append(cells)
    notes = _notes(everything)
    return "\n".join([*_aligned(lines), *(["", *notes] if notes else [])])


def _notes(everything: Sum) -> list[str]:
    """What the table doesn't have in its sums."""
    notes = []
    if everything.estimated.calls:
        tokens = everything.estimated.tokens
        costs = everything.estimated.costs()
        notes.append(
            say(
                "Not among the tokens and costs: {count} calls whose endpoint didn't say what they used; {cancelled} "
                "were cancelled by their clients. Estimated: {input} tokens of input, {output} of output{cost}.",
                count=f"{everything.estimated.calls:,}",
                cancelled=f"{everything.cancelled:,}",
                input=f"{tokens['input']:,}",
                output=f"{tokens['output']:,}",
                cost="".join(f", {_shown(cost)} {currency}" for currency, cost in costs.items()),
            )
        )
    if everything.unpriced:
        notes.append(say("Without a known price, so in no cost: {count} calls.", count=f"{everything.unpriced:,}"))
    return notes


def _shown(cost: Decimal | None) -> str:
    """An amount for a person: four decimals, or as many as show something."""
    if cost is None:
        return "-"
    return f"{cost:,.4f}" if cost == 0 or cost >= Decimal("0.01") else f"{cost.normalize():.3g}"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(
            cell + " " * (size - width(cell)) if column == 0 else " " * (size - width(cell)) + cell
            for column, (cell, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
