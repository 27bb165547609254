"""Which message broke a prompt's cache, with both texts: bounded, and honest where nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.last_exchanges import LastExchanges
from hunyuan_fix.page import cache_break
from hunyuan_fix.page.cache_break import differences
from hunyuan_fix.page.content import Content
from hunyuan_fix.page.contents import Contents
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from tests.observe.admin.serving import asking, rooms, serving
from tests.page.timing import seconds
from tests.strategies import json_values

SESSION = "a" * 32


def content(came: Any, sent: Any = None) -> Content:
    body = came if isinstance(came, bytes) else json.dumps(came).encode()
    return Content({}, body, body if sent is None else json.dumps(sent).encode(), None)


def chat(*texts: Any, **fields: Any) -> JsonObject:
    messages = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]
    return {"model": "hy3", "messages": messages, **fields}


def test_an_edited_message_is_shown_word_by_word() -> None:
    came, sent = differences(content(chat("It is 9:01.", "yes", "on")), content(chat("It is 9:02.", "yes", "on", "ok")))
    assert sent is None, "nothing was changed on the way"
    assert came is not None
    assert (came["pointer"], came["what"]) == ("/messages/0", "content edited")
    assert came["before"] == {"role": "user", "text": "It is 9:01.", "more": 0}
    assert came["now"] == {"role": "user", "text": "It is 9:02.", "more": 0}
    assert came["words"] is not None
    assert [(piece["kind"], piece["text"]) for piece in came["words"]["pieces"]] == [
        ("same", "It is 9:"),
        ("removed", "01"),
        ("added", "02"),
        ("same", "."),
    ]


def test_messages_that_have_nothing_to_do_with_each_other_are_not_compared_by_words() -> None:
    now = chat("one", "two", "three")
    now["messages"].insert(1, {"role": "user", "content": "a reminder"})
    came, _ = differences(content(chat("one", "two", "three")), content(now))
    assert came is not None
    assert (came["pointer"], came["what"], came["words"]) == ("/messages/1", "1 message inserted", None)
    assert came["before"] is not None and came["now"] is not None
    assert (came["before"]["text"], came["now"]["text"]) == ("two", "a reminder")


def test_what_left_is_compared_too_where_something_was_changed() -> None:
    before, now = chat("one", "two", "three"), chat("one", "two", "three", "four")
    came, sent = differences(content(before, chat("one", "two", "3")), content(now, now))
    assert came is None
    assert sent is not None and (sent["pointer"], sent["what"]) == ("/messages/2", "content edited")


@pytest.mark.parametrize(
    ("before", "now", "pointer", "before_text", "now_text"),
    [
        (chat("a", system="old words"), chat("a", system="new words"), "/system", "old words", "new words"),
        (chat("a") | {"model": "m1"}, chat("a") | {"model": "m2"}, "/model", "m1", "m2"),
        (chat("a"), chat("a", tools=[{"name": "f"}]), "/tools/0", None, '{\n  "name": "f"\n}'),
        (
            chat("a", thinking={"type": "enabled"}),
            chat("a", thinking={"type": "off"}),
            "/thinking",
            '{\n  "type": "enabled"\n}',
            '{\n  "type": "off"\n}',
        ),
        (
            chat([{"type": "text", "text": "a"}, {"type": "tool_result", "content": [{"type": "text", "text": "r1"}]}]),
            chat([{"type": "text", "text": "a"}, {"type": "tool_result", "content": [{"type": "text", "text": "r2"}]}]),
            "/messages/0",
            "a\n\nr1",
            "a\n\nr2",
        ),
    ],
)
def test_every_part_of_a_prompt_is_shown(before: Any, now: Any, pointer: str, before_text: str, now_text: str) -> None:
    came, _ = differences(content(before), content(now))
    assert came is not None
    assert came["pointer"] == pointer
    assert (came["before"] and came["before"]["text"], came["now"] and came["now"]["text"]) == (before_text, now_text)


def test_images_are_named_by_size_and_told_apart() -> None:
    def with_image(data: str) -> JsonObject:
        return chat([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}])

    came, _ = differences(content(with_image("A" * 90_000)), content(with_image("B" * 90_000)))
    assert came is not None and came["words"] is not None
    assert "68 kB" in came["words"]["pieces"][0]["text"]
    assert {piece["kind"] for piece in came["words"]["pieces"]} == {"same", "removed", "added"}


def test_reasoning_that_was_dropped_is_shown() -> None:
    before, now = chat("a", "b", "c"), chat("a", "b", "c")
    before["messages"][1]["reasoning_content"] = "a thought"
    came, _ = differences(content(before), content(now))
    assert came is not None and came["what"] == "reasoning dropped"
    assert came["before"] is not None and "a thought" in came["before"]["text"]
    assert came["words"] is not None


@given(json_values, json_values)
def test_bodies_may_hold_anything(one: Any, other: Any) -> None:
    for before, now in ((one, other), (chat(one), chat(other)), (chat("a", system=one), chat("a", system=other))):
        found = differences(content(before), content(now))[0]
        json.dumps(found).encode()
    assert differences(content(b"{"), content(b"")) == (None, None)


def test_texts_are_bounded_and_twice_the_body_takes_twice_the_time() -> None:
    def run(count: int) -> float:
        before = content(chat(*["words " * 300] * count, "x" * 300_000))
        now = content(chat(*["words " * 300] * count, "y" * 300_000))
        found = differences(before, now)[0]
        assert found is not None and len(json.dumps(found)) < 20_000
        return seconds(lambda: differences(before, now), 3)

    assert run(1600) < 3 * run(800) + 0.01


class Kept(Contents):
    """Contents made by hand."""

    def __init__(self, kept: Mapping[str, Content]) -> None:
        self._by_hand = kept

    def get(self, id: str) -> Content | None:
        return self._by_hand.get(id)


def turns(*told: tuple[str, str, JsonObject]) -> LastExchanges:
    """Exchanges of one session: id, kind, what their `prompt_cache` says."""
    ring = LastExchanges()
    for number, (id, kind, cache) in enumerate(told):
        ring.hear(Event(events.CAME, id, float(number), {}))
        data = {**done(Exchange(), "200", "answered", 200), "session": SESSION, "kind": kind, "prompt_cache": cache}
        ring.hear(Event(events.DONE, id, number + 0.5, data))
    return ring


async def asked(ring: LastExchanges, kept: Mapping[str, Content] | None, id: str) -> JsonObject:
    shown = rooms()
    shown.exchanges = ring
    shown.page = Page(Sources(ring, contents=None if kept is None else Kept(kept)))
    async with serving(shown=shown) as admin, asking(admin) as client:
        return cast(JsonObject, (await client.get(f"/api/exchanges/{id}/cache")).json())


async def test_the_turn_before_is_the_one_that_the_ledger_knew() -> None:
    ring = turns(("a", "main", {}), ("b", "main", {}), ("c", "main", {"before": "a", "by": "client", "missed": 5}))
    kept = {"a": content(chat("one")), "b": content(chat("two")), "c": content(chat("three"))}
    found = await asked(ring, kept, "c")
    assert (found["before"], found["missing"], found["prompt_cache"]["missed"]) == ("a", "", 5)
    assert found["came"]["before"]["text"] == "one"
    assert (await asked(ring, kept, "no"))["error"]["code"] == "admin_no_such_exchange"


async def test_without_that_it_is_the_last_of_its_kind() -> None:
    ring = turns(("a", "main", {}), ("b", "helper", {}), ("c", "main", {}), ("d", "subagent", {}))
    kept = {id: content(chat(id)) for id in "abcd"}
    assert (await asked(ring, kept, "c"))["before"] == "a"
    found = await asked(ring, kept, "d")
    assert (found["before"], found["missing"], found["came"]) == ("", "before", None)


@pytest.mark.parametrize("kept", [None, {}, {"b": content(chat("b"))}])
async def test_where_nothing_is_kept_it_says_so(kept: Mapping[str, Content] | None) -> None:
    found = await asked(turns(("a", "main", {}), ("b", "main", {"before": "a", "pointer": "/model"})), kept, "b")
    assert (found["missing"], found["came"], found["sent"]) == ("content", None, None)
    assert found["prompt_cache"]["pointer"] == "/model"


def test_the_page_has_words_for_all_that_may_have_changed() -> None:
    """What `observe.prompts` can say, as its tests make it say that."""
    from tests.observe.test_prompt_cache import CHANGES

    words = (Path(cache_break.__file__).parent / "static" / "turns.words.js").read_text("utf-8")
    for _, _, what in CHANGES:
        name = "-".join(what.replace(",", " ").split())
        if name[0].isdigit():
            name = name.rpartition("-")[2]
        assert f'"turns.what.{name}"' in words, what
