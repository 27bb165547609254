"""What workers say, as one: the worst of each check, sums of the rest."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.observe.health.health import CheckReport
from hunyuan_fix.supervisor import merged


def check(state: str, message: str = "", since: float | None = 1.0, name: str = "disk") -> CheckReport:
    return {"name": name, "state": state, "since": since, "looked": since, "message": message}


def test_the_worst_counts_and_its_worker_is_named():
    reports = {2: [check("degraded", "Full.", 5.0)], 1: [check("healthy", "Fine.", 9.0)]}
    assert merged.checks(reports, "en") == [{**check("degraded", "Worker 2: Full.", 5.0), "looked": 9.0}]
    assert merged.checks(reports, "zh")[0]["message"] != "Worker 2: Full."


def test_what_all_have_alike_names_none_of_them():
    reports = {1: [check("unhealthy", "Gone.", 5.0)], 2: [check("unhealthy", "Gone.", 3.0)]}
    assert merged.checks(reports, "en") == [{**check("unhealthy", "Gone.", 3.0), "looked": 5.0}]


def test_workers_with_the_same_state_but_other_words_are_all_named():
    reports = {1: [check("degraded", "One.")], 2: [check("degraded", "Two.")], 3: [check("healthy", "")]}
    assert merged.checks(reports, "en")[0]["message"] == "Worker 1, 2: One."


def test_checks_stay_in_their_order_and_one_that_only_some_have_is_there():
    reports = {1: [check("healthy", name="a"), check("healthy", name="b")], 2: [check("healthy", name="c")]}
    assert [one["name"] for one in merged.checks(reports, "en")] == ["a", "b", "c"]
    assert merged.checks({}, "en") == []
    assert merged.checks({1: [check("healthy", since=None)]}, "en")[0]["since"] is None


def test_each_budget_is_there_once_as_who_asked_last_knows_it():
    def budget(name: str, spent: float, resets: float = 1.0) -> dict[str, Any]:
        return {"budget": name, "who": "", "spent": spent, "limit": 10, "resets": resets}

    found = merged.budgets([budget("a", 3), budget("b", 9), budget("a", 5), budget("a", 4), budget("b", 0, 2.0)])
    assert found == [budget("b", 9), budget("a", 5), budget("b", 0, 2.0)]
    assert merged.budgets([{**budget("a", 0), "limit": 0}]) == [{**budget("a", 0), "limit": 0}]


def status(taken: int, open: list[str], failing: bool) -> dict[str, Any]:
    return {
        "version": "1",
        "mode": "repair",
        "slots": {"taken": taken, "waiting": 1, "accounts": [{"limit": 5}]},
        "breaker": {"open": open},
        "stores": [
            {"name": "sqlite", "failing": failing, "hits": taken},
            {"name": "memory", "failing": False, "hits": 1},
        ],
    }


def test_status_is_added_up():
    found = merged.status([status(1, ["a"], False), status(2, ["b", "a"], True)])
    assert found["slots"] == {"taken": 3, "waiting": 2, "accounts": [{"limit": 5}, {"limit": 5}]}
    assert found["breaker"] == {"open": ["a", "b"]}
    assert found["stores"] == [
        {"name": "memory", "failing": False, "hits": 2},
        {"name": "sqlite", "failing": True, "hits": 3},
    ]
    assert (found["version"], found["mode"], found["upstream"]) == ("1", "repair", "")


def test_status_before_anyone_has_said_anything_has_all_fields():
    assert merged.status([])["slots"] == {"taken": 0, "waiting": 0, "accounts": []}
