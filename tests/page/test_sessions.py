"""Sessions by what exchanges have told: what their turns come to, in any order in which that is told."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.observe.admin import session_schemas
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.last_exchanges import MOST_EVENTS, Kept, LastExchanges
from hunyuan_fix.page import cache_break, sessions, turns
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from tests.observe.admin.serving import asking, rooms, serving
from tests.page.timing import seconds

BROKEN = {"what": "content edited", "pointer": "/messages/2", "by": "client", "rules": list[str](), "missed": 2000}
KINDS = ["input", "cached", "output", "reasoning", "written"]
WHAT_IT_TELLS = st.fixed_dictionaries(
    {
        "session": st.sampled_from(["", "a" * 32, "b" * 32]),
        "session_named": st.booleans(),
        "kind": st.sampled_from(["", "main", "subagent", "helper"]),
        "client": st.sampled_from(["", "anna"]),
        "model": st.sampled_from(["hy3", "kimi-k2.6"]),
        "usage": st.dictionaries(st.sampled_from(KINDS), st.integers(0, 9999)),
        "reasoning": st.dictionaries(st.sampled_from(["kept", "recovered", "made_up"]), st.integers(1, 9)),
        "prompt_cache": st.sampled_from([{}, {"before": "x"}, {"before": "x", "compacted": True}, BROKEN]),
        "how": st.sampled_from(["answered", "refused", "failed"]),
        "status": st.sampled_from([None, 200, 429]),
        "left": st.booleans(),
    }
)
BETWEEN: dict[str, JsonObject] = {
    events.RETRIED: {"number": 2, "reason": "HTTP 503"},
    events.MENDED: {"reason": "reasoning", "outcome": "helped"},
    events.FALLBACK: {"reason": "down", "outcome": "answered", "profile": "p", "model": "m", "upstream": "u"},
    events.RUNAWAY: {"what": "iterations", "count": 60, "action": "warned", "session": "a" * 32},
    events.BUDGET: {"budget": "1 USD", "action": "warned", "session": "a" * 32},
}
PAID = st.lists(st.tuples(st.sampled_from(["USD", "CNY"]), st.integers(0, 10**15)), max_size=3)
EXCHANGE = st.tuples(WHAT_IT_TELLS, st.lists(st.sampled_from(list(BETWEEN)), max_size=4), PAID, st.booleans())


def paid(id: str, currency: str, amount: int) -> Event:
    return Event(
        events.PAID,
        id,
        3.0,
        {"id": id, "purpose": "own", "usage": {"input": 1}, "amount": amount, "currency": currency},
    )


def heard(given: list[tuple[JsonObject, list[str], list[tuple[str, int]], bool]], late: random.Random) -> LastExchanges:
    """Exchanges one after the other; what they cost is told at any time after their first event."""
    ring = LastExchanges()
    told_late: list[Event] = []
    for number, (told, between, costs, is_over) in enumerate(given):
        id = f"exchange-{number}"
        own = [Event(events.CAME, id, 1.0 + number, {"client": told["client"]})]
        own += [Event(kind, id, 1.5 + number, BETWEEN[kind]) for kind in between]
        own.append(
            Event(events.REPAIRED, id, 1.6 + number, {"session": told["session"], "kind": told["kind"], "rules": []})
        )
        if is_over:
            own.append(Event(events.DONE, id, 2.0 + number, {**done(Exchange(), "200", "answered", 200), **told}))
        for each in costs:
            place = late.randint(1, len(own) + 3)
            (told_late if place > len(own) else own).insert(place, paid(id, *each))
        for event in own:
            ring.hear(event)
    late.shuffle(told_late)
    for event in told_late:
        ring.hear(event)
    return ring


def events_of(ring: LastExchanges) -> list[Event]:
    return [event for kept in ring.newest() for event in kept.events]


def added(values: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in values:
        total.update(each)
    return Counter({name: value for name, value in total.items() if value})


@given(st.lists(EXCHANGE, max_size=8), st.randoms(use_true_random=False))
def test_what_sessions_come_to_is_what_their_exchanges_come_to(given: Any, late: random.Random) -> None:
    ring = heard(given, late)
    listed = sessions.sessions_of(ring.newest())
    known = [(told, between, costs, is_over) for told, between, costs, is_over in given]
    session_of = [told["session"] for told, *_ in known]
    of_one = [one for one, session in zip(known, session_of, strict=True) if session]
    found = listed["sessions"]
    assert listed["without"] == len(known) - len(of_one)
    assert sum(one["turns"] for one in found) == len(of_one)
    assert added(one["cost"] for one in found) == added({c: a} for _, _, costs, _ in of_one for c, a in costs)
    over = [told for told, _, _, is_over in of_one if is_over]
    kinds = ("input", "cached", "output", "reasoning")
    assert added(one["tokens"] for one in found) == added({k: told["usage"].get(k, 0) for k in kinds} for told in over)
    assert added(one["reasoning"] for one in found) == added(told["reasoning"] for told in over)
    assert sum(one["missed"] for one in found) == sum(told["prompt_cache"].get("missed", 0) for told in over)
    assert sum(one["breaks"] for one in found) == sum(told["prompt_cache"] is BROKEN for told in over)
    assert sum(one["compactions"] for one in found) == sum("compacted" in told["prompt_cache"] for told in over)
    assert sum(one["retries"] for one in found) == sum(between.count(events.RETRIED) for _, between, _, _ in of_one)
    assert sum(one["mended"] for one in found) == sum(events.MENDED in between for _, between, _, _ in of_one)
    assert sum(one["errors"] for one in found) == sum(
        not told["left"] and (told["how"] != "answered" or (told["status"] or 0) >= 400) for told in over
    )
    assert [one["last"] for one in found] == sorted((one["last"] for one in found), reverse=True)
    for session in found:
        one = sessions.session_of(ring.newest(), session["id"])
        assert one is not None and one["session"] == session
        assert [turn["at"] for turn in one["turns"]] == sorted(turn["at"] for turn in one["turns"])
        assert sessions.sums(one["turns"]) == {name: session[name] for name in sessions.sums(one["turns"])}  # type: ignore[literal-required]
    assert sessions.session_of(ring.newest(), "c" * 32) is None


def test_a_session_is_known_by_the_latest_that_was_told() -> None:
    ring = LastExchanges()
    for event in (
        Event(events.CAME, "1", 1.0, {"client": "anna", "program": "codex"}),
        Event(events.REPAIRED, "1", 1.1, {"session": "a" * 32, "kind": "subagent"}),
        Event(events.SENT, "1", 1.2, {"upstream": "h"}),
    ):
        ring.hear(event)
    found = sessions.session_of(ring.newest(), "a" * 32)
    assert found is not None
    (turn,) = found["turns"]
    assert (turn["over"], turn["kind"], turn["client"], turn["is_error"]) == (False, "subagent", "anna", False)
    assert (found["session"]["under_way"], found["session"]["calls"]) == (1, {"subagent": 1})


@given(st.lists(EXCHANGE, max_size=6), st.lists(EXCHANGE, max_size=6), st.randoms(use_true_random=False))
def test_what_was_looked_at_before_is_no_other_than_what_is_looked_at_now(
    first: Any, then: Any, late: random.Random
) -> None:
    ring, known = heard(first, late), dict[str, Any]()
    sessions.sessions_of(ring.newest(), known)
    for event in events_of(heard([*first, *then], late)):
        if late.random() < 0.7:  # some of it anew, in any order: whatever is told changes what is known
            ring.hear(event)
        assert sessions.sessions_of(ring.newest(), known) == sessions.sessions_of(ring.newest())


def test_a_session_that_has_told_nothing_since_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: JsonObject = {"client": "", "kind": "main", "usage": {"input": 1}}
    ring = heard([(told | {"session": f"{n % 5:032d}"}, [], [], True) for n in range(40)], random.Random(1))
    known: sessions.Known = {}
    looked: list[str] = []
    original = turns.turn

    def looking(kept: Kept) -> turns.Turn:
        looked.append(kept.id)
        return original(kept)

    monkeypatch.setattr(turns, "turn", looking)
    sessions.sessions_of(ring.newest(), known)
    assert len(looked) == 40
    looked.clear()
    ring.hear(paid("exchange-3", "USD", 5))
    sessions.sessions_of(ring.newest(), known)
    assert looked == [f"exchange-{number}" for number in range(3, 40, 5)]


def test_an_exchange_with_too_many_events_to_keep_is_over_all_the_same() -> None:
    told: JsonObject = {"client": "", "kind": "main", "session": "a" * 32}
    ring, known = heard([(told, [events.RETRIED] * MOST_EVENTS, [], False)], random.Random(1)), dict[str, Any]()
    assert sessions.sessions_of(ring.newest(), known)["sessions"][0]["under_way"] == 1
    ring.hear(Event(events.DONE, "exchange-0", 9.0, {**done(Exchange(), "200", "answered", 200), **told}))
    assert sessions.sessions_of(ring.newest(), known)["sessions"][0]["under_way"] == 0


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    monkeypatch.setattr(sessions, "MOST_TURNS", 4)
    told = {"client": "", "kind": "main", "usage": {"input": 1}}
    ring = heard([(told | {"session": f"{n % 5:032d}"}, [], [], True) for n in range(40)], random.Random(1))
    listed = sessions.sessions_of(ring.newest())
    assert [int(one["id"]) for one in listed["sessions"]] == [4, 3, 2] and listed["more"]
    one = sessions.session_of(ring.newest(), f"{2:032d}")
    assert one is not None
    assert [turn["at"] for turn in one["turns"]] == [23.0, 28.0, 33.0, 38.0]
    assert (one["left_out"], one["session"]["turns"], one["session"]["tokens"]) == (4, 8, {"input": 8})


def test_twice_the_exchanges_take_twice_the_time() -> None:
    def of(count: int) -> LastExchanges:
        told = {"client": "", "kind": "main", "usage": {"input": 5}, "model": "hy3"}
        given = [(told | {"session": f"{n % 50:032d}"}, list[str](), [("USD", 5)], True) for n in range(count)]
        return heard(given, random.Random(1))

    one, two = of(400), of(800)
    assert seconds(lambda: sessions.sessions_of(two.newest())) < 3 * seconds(lambda: sessions.sessions_of(one.newest()))


async def test_the_server_gives_them() -> None:
    shown = rooms()
    shown.exchanges = heard([({"session": "a" * 32, "client": "", "kind": "main"}, [], [], True)], random.Random(1))
    shown.page = Page(Sources(shown.exchanges))
    async with serving(shown=shown) as admin, asking(admin) as client:
        assert [one["id"] for one in (await client.get("/api/sessions")).json()["sessions"]] == ["a" * 32]
        assert len((await client.get(f"/api/sessions/{'a' * 32}")).json()["turns"]) == 1
        answer = await client.get(f"/api/sessions/{'b' * 32}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "admin_unknown_session")
        assert (await client.get("/api/sessions/..%2f")).status_code == 400


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (sessions.Session, session_schemas.SESSION),
        (sessions.Sessions, session_schemas.SESSIONS),
        (sessions.OneSession, session_schemas.ONE_SESSION),
        (turns.Turn, session_schemas.TURN),
        (cache_break.CacheBreak, session_schemas.CACHE_BREAK),
    ],
)
def test_the_description_has_each_field(kind: Any, schema: JsonObject) -> None:
    assert set(get_type_hints(kind)) == set(schema["properties"]) == set(schema["required"])
