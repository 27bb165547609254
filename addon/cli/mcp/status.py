"""`proxy_status`: is the proxy well, what does it do, what is wrong."""

from __future__ import annotations

from ...exchange import JsonObject
from . import plain, words
from .choosing import Asked
from .report import Report


async def answer(asked: Asked) -> Report:
    """What is wrong comes first."""
    status = await asked.api.get("/status")
    checks, alerts = plain.records(status.get("checks")), plain.records(status.get("alerts"))
    report = Report(more=f"All of it: {asked.api.page('')}")
    ready = status.get("ready") is True
    ill = [check for check in checks if plain.text(check.get("state")) not in ("", "healthy")]
    firing = [alert for alert in alerts if plain.text(alert.get("state")) == "firing"]
    closed = plain.texts(plain.record(status.get("breaker")).get("open"))
    report.say(_head(status, ready, bool(ill or firing or closed)))
    for check in ill:
        name, state = plain.text(check.get("name")), plain.text(check.get("state"))
        report.say(f"Check {name} is {state}: {plain.text(check.get('message'))}")
    for alert in firing:
        name, action = plain.text(alert.get("name")), plain.text(alert.get("action"))
        report.say(
            f"Alert {name} since {words.moment(alert.get('since'))}: {plain.text(alert.get('summary'))} {action}"
        )
    if closed:
        report.say(f"Left alone for a while, since calls kept failing (circuit breaker): {words.listed(closed)}")
    slots = plain.record(status.get("slots"))
    taken, waiting = plain.whole(slots.get("taken")), plain.whole(slots.get("waiting"))
    report.show(f"Slots: {taken} calls under way, {waiting} waiting for one.")
    failing = [plain.text(store.get("name")) for store in plain.records(status.get("stores")) if store.get("failing")]
    if failing:
        report.say(f"Stores that fail: {words.listed(failing)}")
    budgets = [_budget(budget) for budget in plain.records(status.get("budgets"))[:10]]
    report.say(*budgets)
    report.show(f"Checks that are well: {words.listed(_names(checks, 'healthy'), 30)}" if checks else "")
    report.data = {
        "ready": ready,
        "draining": status.get("draining") is True,
        "mode": plain.text(status.get("mode")),
        "version": plain.text(status.get("version")),
        "upstream": plain.text(status.get("upstream")),
        "uptime": plain.number(status.get("uptime")),
        "checks": [{name: plain.text(check.get(name)) for name in ("name", "state", "message")} for check in checks],
        "alerts_firing": [plain.text(alert.get("name")) for alert in firing],
        "breaker_open": closed,
        "slots": {"taken": taken, "waiting": waiting},
        "workers": len(plain.records(status.get("workers"))) or 1,
    }
    return report


def _head(status: JsonObject, ready: bool, ailing: bool) -> str:
    state = "takes requests" if ready else "takes no requests" + (" (it ends)" if status.get("draining") else "")
    mode, upstream = plain.text(status.get("mode")), plain.text(status.get("upstream"))
    said = [
        f"hunyuan-fix {plain.text(status.get('version'))} {state}, up {words.duration(_ms(status))}",
        f"mode {mode}" + (", which changes nothing" if mode in ("observe", "off") else "") if mode else "",
        f"calls go to {upstream}" if upstream else "",
        "all is well" if ready and not ailing else "",
    ]
    return "; ".join(part for part in said if part) + "."


def _ms(status: JsonObject) -> float:
    return 1000 * plain.number(status.get("uptime"))


def _budget(budget: JsonObject) -> str:
    spent, limit = plain.number(budget.get("spent")), plain.number(budget.get("limit"))
    who = plain.text(budget.get("who"), 60) or plain.text(budget.get("scope"), 20)
    unit, period = plain.text(budget.get("unit"), 20), plain.text(budget.get("period"), 20)
    return (
        f"Budget {plain.text(budget.get('budget'), 120)} of {who}: {spent:,.6g} of {limit:,.6g} {unit} this {period}."
    )


def _names(checks: list[JsonObject], state: str) -> list[str]:
    return [plain.text(check.get("name")) for check in checks if plain.text(check.get("state")) == state]
