"""What all workers have said, as one: checks, status, whether there is one that serves. Pure: data in, data out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from ..exchange import JsonObject
from ..observe.health import State
from ..observe.health.health import CheckReport
from ..texts import sentences

type Reports = Mapping[int, Sequence[CheckReport]]
"""The place of a worker -> its checks."""

_BY_WORD = {state.word: state for state in State}


def checks(reports: Reports, language: str) -> list[CheckReport]:
    """Each check once: as the worker has it for which it is worst, which the message names. In the order of the first.

    `since` is when the first of those began that have the worst state.
    """
    by_name: dict[str, list[tuple[int, CheckReport]]] = {}
    for place, found in sorted(reports.items(), key=itemgetter(0)):
        for check in found:
            by_name.setdefault(check["name"], []).append((place, check))
    return [_together(found, language) for found in by_name.values()]


def _together(found: Sequence[tuple[int, CheckReport]], language: str) -> CheckReport:
    worst = min(_BY_WORD[check["state"]] for _, check in found)
    same = [(place, check) for place, check in found if _BY_WORD[check["state"]] is worst]
    first = same[0][1]
    message = first["message"]
    if worst is not State.HEALTHY:
        # One worker's trouble, or the same for all of them.
        alike = len(same) == len(found) and len({check["message"] for _, check in same}) == 1
        if not alike:
            named = ", ".join(str(place) for place, _ in same)
            message = sentences.said(language, "Worker {number}: {message}", number=named, message=message)
    return {
        "name": first["name"],
        "state": worst.word,
        "since": min((check["since"] for _, check in same if check["since"] is not None), default=None),
        "looked": max((check["looked"] for _, check in found if check["looked"] is not None), default=None),
        "message": message,
    }


def status(found: Sequence[JsonObject]) -> JsonObject:
    """The parts of `/status` that workers know, of the status of each."""
    slots = [one["slots"] for one in found if "slots" in one]
    last = found[-1] if found else {}
    return {
        **{name: last.get(name, "") for name in ("version", "python", "mitmproxy", "mode", "upstream", "profile")},
        "keys": last.get("keys", []),
        "slots": {
            "taken": sum(one["taken"] for one in slots),
            "waiting": sum(one["waiting"] for one in slots),
            "accounts": [account for one in slots for account in one["accounts"]],
        },
        "breaker": {"open": sorted({host for one in found for host in one.get("breaker", {}).get("open", ())})},
        "budgets": budgets(budget for one in found for budget in one.get("budgets", ())),
        "stores": stores(store for one in found for store in one.get("stores", ())),
    }


def total(snapshot: JsonObject, name: str) -> float:
    """The sum of the series of the counter or gauge `name` in a worker's snapshot."""
    return sum(float(value) for row in snapshot.get("metrics", ()) if row["name"] == name for _, value in row["values"])


def stores(found: Iterable[JsonObject]) -> list[JsonObject]:
    """Each store once: failing where it is for any worker, its counts added up."""
    together: list[JsonObject] = []
    for name, group in groupby(sorted(found, key=itemgetter("name")), key=itemgetter("name")):
        rows = list(group)
        counts = {key: sum(row[key] for row in rows) for key in rows[0] if key not in ("name", "failing")}
        together.append({"name": name, "failing": any(row["failing"] for row in rows), **counts})
    return together


def budgets(found: Iterable[JsonObject]) -> list[JsonObject]:
    """Each budget once, as the worker has it that asked for it last: what is spent only grows. The fullest first."""
    last: dict[tuple[str, str, float], JsonObject] = {}
    for one in found:
        key = one["budget"], one["who"], one["resets"]
        if key not in last or one["spent"] >= last[key]["spent"]:
            last[key] = one
    return sorted(last.values(), key=lambda one: one["spent"] / (one["limit"] or 1), reverse=True)
