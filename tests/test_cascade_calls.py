"""What the cascade knows, asks, and does when that fails."""

from __future__ import annotations

import asyncio
import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix import texts
from hunyuan_fix.cascade import Cascade
from hunyuan_fix.images import in_body
from hunyuan_fix.stores import Chain, Memory
from hunyuan_fix.stores.sqlite import Sqlite
from hunyuan_fix.upstream.target import Target
from hunyuan_fix.vision.descriptions import Descriptions, ImageResult
from hunyuan_fix.workers import LIGHT
from tests.cascading import (
    IMAGE,
    TOKENHUB,
    TOOLS,
    VISION_MODEL,
    ZH,
    Gate,
    Setting,
    body,
    description,
    note,
    only_refusal,
)
from tests.vision_server import Received, Reply, VisionServer, chat, error, image_part, png, text_part

# The cache


async def test_history_costs_nothing_and_stays_the_same(setting: Setting) -> None:
    first = body(IMAGE, "and?")
    await setting.describe(first)
    later = body(IMAGE, "and?", [text_part("new"), image_part(png("b"))])
    outcome = await setting.describe(later)
    assert later["messages"][:2] == first["messages"]
    assert (outcome.calls, outcome.cached) == (1, 1)
    assert len(setting.server.received) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"texts": texts.load("en")},
        {"texts": replace(ZH, vision_prompt=ZH.vision_prompt + ".")},
        {"profile": TOKENHUB},
    ],
)
async def test_what_the_text_depends_on_is_in_the_key(setting: Setting, change: dict[str, Any]) -> None:
    await setting.describe(body(IMAGE))
    assert (await setting.describe(body(IMAGE), **change)).calls == 1


@pytest.mark.parametrize(
    ("content", "calls"),
    [
        ([text_part("look!"), image_part(png("a"))], 1),
        ([text_part("look"), image_part(png("b"))], 1),
        ([image_part(png("a")), text_part("look")], 0),
        ([text_part("look"), image_part(png("a").replace("image/png", "image/jpg"))], 0),
    ],
)
async def test_key_is_image_and_question(setting: Setting, content: Any, calls: int) -> None:
    await setting.describe(body(IMAGE))
    assert (await setting.describe(body(content))).calls == calls


async def test_question_beyond_the_cut_is_not_in_the_key(setting: Setting) -> None:
    for ending in "xy":
        outcome = await setting.describe(body([text_part("q" * 800 + ending), image_part(png("a"))]))
    assert (outcome.calls, outcome.cached) == (0, 1)


async def test_http_url_has_a_ttl_and_data_has_none(setting: Setting) -> None:
    setting.server.replies(chat("seen"))
    setting.configure(cache_ttl=60.0)
    chat_body = body([image_part("https://example.com/a.png"), image_part(png("a"))])
    for passed, calls in [(0, 2), (59, 0), (1, 1), (1e6, 1)]:
        setting.clock.time += passed
        assert (await setting.describe(copy.deepcopy(chat_body))).calls == calls


async def test_a_failure_for_good_has_the_same_ttl(setting: Setting) -> None:
    setting.server.replies(error(400, "1001", "图片处理失败错误"))
    setting.configure(cache_ttl=60.0)
    for passed, calls in [(0, 1), (59, 0), (1, 1)]:
        setting.clock.time += passed
        assert (await setting.describe(body(IMAGE))).calls == calls


async def test_what_a_store_below_knows_counts_as_cached(setting: Setting, tmp_path: Path) -> None:
    """As after a restart."""
    for calls, cached in [(2, 0), (0, 2), (0, 2)]:
        chain = Chain(Memory(100, 1 << 20), [Sqlite(tmp_path / "store", 1 << 20)])
        setting.cascade = Cascade(setting.vision, setting.clock, Descriptions(chain))
        chat_body = body(IMAGE, [image_part(png("b"))])
        outcome = await setting.describe(chat_body)
        assert (outcome.calls, outcome.cached, outcome.refusal) == (calls, cached, None)
        assert chat_body["messages"][1]["content"] == [description(1, 1, "a picture of b")]
        await chain.aclose()
    assert len(setting.server.received) == 2


async def test_a_store_that_fails_fails_no_request(setting: Setting, tmp_path: Path) -> None:
    chain = Chain(Memory(0, 1), [Sqlite(tmp_path, 1 << 20)])
    setting.cascade = Cascade(setting.vision, setting.clock, Descriptions(chain))
    first, second = body(IMAGE), body([image_part(png("b"))])
    for chat_body in (first, second, first):
        assert (await setting.describe(chat_body)).refusal is None
        assert in_body.find(chat_body) == []
    assert len(setting.server.received) == 2
    await chain.aclose()


async def test_bounds_change_while_running(setting: Setting) -> None:
    for name in "abc":
        await setting.describe(body([image_part(png(name))]))
    setting.configure(cache_entries=2)
    assert (await setting.describe(body([image_part(png("c"))]))).calls == 0
    assert (await setting.describe(body([image_part(png(name)) for name in "abc"]))).calls == 1


async def test_lone_surrogates_are_carried(setting: Setting) -> None:
    chat_body = body([text_part("\ud800"), image_part(png("a"))], [image_part("\udfff")])
    assert (await setting.describe(chat_body)).refusal is None
    assert chat_body["messages"][1]["content"] == [note(1, 1, "unreadable")]


async def test_large_images_leave_the_loop(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = 0
    run = ThreadPoolExecutor.submit

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal threads
        threads += 1
        return run(*arguments, **named)

    await setting.describe(body(IMAGE))
    monkeypatch.setattr(ThreadPoolExecutor, "submit", counted)
    await setting.describe(body([image_part(png("small"))]))
    assert threads == 0
    large = png("x" * LIGHT)
    chat_body = body([image_part(large)])
    await setting.describe(chat_body)
    assert threads == 3  # looked for, hashed, made ready to send
    assert in_body.find(chat_body) == []
    assert setting.server.received[-1].image == large


# Calls at the same time


async def test_images_of_a_request_are_asked_about_in_parallel_up_to_the_limit(setting: Setting) -> None:
    setting.configure(vision_concurrency=2)
    gate = Gate(setting.server)
    task = setting.start(body([image_part(png(name)) for name in "abcd"]))
    await gate.asked("d", "c")
    gate.open("c")
    await gate.asked("d", "c", "b")
    for name in "dba":
        gate.open(name)
    assert (await task).calls == 4
    assert setting.server.most_running == 2


async def test_identical_images_share_one_call(setting: Setting) -> None:
    gate = Gate(setting.server)
    bodies = [body(IMAGE, IMAGE) for _ in range(3)]
    started = [setting.start(chat_body) for chat_body in bodies]
    await gate.asked("a")
    gate.open("a")
    outcomes = await asyncio.gather(*started)
    assert len(setting.server.received) == 1
    assert sorted((outcome.calls, outcome.cached) for outcome in outcomes) == [(0, 1), (0, 1), (1, 0)]
    assert bodies[0] == bodies[1] == bodies[2]


async def test_calls_of_different_keys_are_apart(setting: Setting) -> None:
    """One client's bad key fails nobody else's request."""

    async def by_key(received: Received) -> Reply:
        await both.wait()
        return chat("seen") if received.headers["authorization"] == "Bearer a" else error(401)

    both = asyncio.Event()
    setting.server.handler = by_key
    good = setting.start(body(IMAGE))
    bad = setting.start(body(IMAGE), target=Target(setting.server.url, {"authorization": "Bearer b"}))
    await setting.server.until(lambda: setting.server.running == 2)
    both.set()
    assert (await good).refusal is None
    assert only_refusal(await bad) == (401, "invalid_api_key")


async def test_client_that_leaves_ends_its_calls(setting: Setting) -> None:
    gate = Gate(setting.server)
    chat_body = body([image_part(png(name)) for name in "abcd"])
    before = copy.deepcopy(chat_body)
    task = setting.start(chat_body)
    await gate.asked("d", "c", "b")
    task.cancel()
    await setting.server.until(lambda: len(setting.server.dropped) == 3)
    await asyncio.wait({task})
    assert task.cancelled()
    assert len(setting.server.received) == 3
    assert chat_body == before


@pytest.mark.parametrize("leaver", [0, 1])
async def test_client_that_leaves_disturbs_no_other(setting: Setting, leaver: int) -> None:
    """Nor does the cancellation reach the other's hook (docs/facts/mitmproxy.md#hook-cancelled)."""
    gate = Gate(setting.server)
    started = [setting.start(body(IMAGE)), setting.start(body(IMAGE))]
    await gate.asked("a")
    started[leaver].cancel()
    await asyncio.wait({started[leaver]})
    gate.open("a")
    assert (await started[1 - leaver]).refusal is None
    assert len(setting.server.received) == 1
    assert setting.server.dropped == []


# Failures


@pytest.mark.parametrize(
    ("reply", "refusal", "tries"),
    [
        (error(429), (429, "rate_limit_exceeded"), 3),
        (error(400, "2003", "请求限频，请稍后重试"), (429, "rate_limit_exceeded"), 3),
        (error(500), (503, "vision_unavailable"), 3),
        (error(401), (401, "invalid_api_key"), 1),
        (error(400, "1006", "模型不存在"), (400, "vision_model_not_found"), 1),
        (error(400, "3008"), (400, "insufficient_quota"), 1),
    ],
)
async def test_refusal_leaves_the_body_and_is_not_remembered(
    setting: Setting, reply: Reply, refusal: tuple[int, str], tries: int
) -> None:
    setting.server.replies(reply)
    chat_body = body(IMAGE, model=VISION_MODEL, tools=TOOLS)
    before = copy.deepcopy(chat_body)
    assert only_refusal(await setting.describe(chat_body)) == refusal
    assert chat_body == before
    assert len(setting.server.received) == tries
    setting.server.replies(chat("better"))
    assert (await setting.describe(chat_body)).refusal is None
    assert chat_body["messages"][0]["content"][1] == description(1, 1, "better")


async def test_everyone_who_waits_gets_the_refusal(setting: Setting) -> None:
    gate = Gate(setting.server)
    started = [setting.start(body(IMAGE)) for _ in range(3)]
    await gate.asked("a")
    gate.open("a", error(401))
    assert {only_refusal(outcome) for outcome in await asyncio.gather(*started)} == {(401, "invalid_api_key")}


async def test_what_cannot_be_mended_ends_the_other_calls(setting: Setting) -> None:
    gate = Gate(setting.server)
    task = setting.start(body([image_part(png(name)) for name in "abcd"]))
    await gate.asked("d", "c", "b")
    gate.open("c", error(401))
    assert only_refusal(await task) == (401, "invalid_api_key")
    await setting.server.until(lambda: len(setting.server.dropped) == 2)
    assert len(setting.server.received) == 3


async def test_after_a_passing_failure_calls_under_way_end_and_none_begins(setting: Setting) -> None:
    setting.configure(vision_tries=1)
    gate = Gate(setting.server)
    chat_body = body([image_part(png(name)) for name in "abcd"])
    task = setting.start(chat_body)
    await gate.asked("d", "c", "b")
    gate.open("c", error(429))
    gate.open("d")
    gate.open("b")
    outcome = await task
    assert only_refusal(outcome) == (429, "rate_limit_exceeded")
    assert len(setting.server.received) == 3
    setting.server.handler = VisionServer("").handler
    again = await setting.describe(chat_body)
    assert (again.calls, again.cached, again.refusal) == (2, 2, None)


async def test_a_rate_limit_ends_no_other_call(setting: Setting) -> None:
    """What is under way is paid for: it is waited for and kept."""
    setting.configure(vision_tries=1)
    gate = Gate(setting.server)
    chat_body = body([image_part(png(name)) for name in "abc"])
    task = setting.start(chat_body)
    await gate.asked("a", "b", "c")
    gate.open("c", error(429))
    gate.open("z")
    await setting.describe(body([image_part(png("z"))]))  # a whole round trip later
    assert not task.done()
    gate.open("a")
    gate.open("b")
    assert only_refusal(await task) == (429, "rate_limit_exceeded")
    assert setting.server.dropped == []
    setting.server.handler = VisionServer("").handler
    again = await setting.describe(chat_body)
    assert (again.calls, again.cached, again.refusal) == (1, 2, None)


async def test_what_another_request_has_paid_for_meanwhile_is_not_asked_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: object) -> dict[bytes, ImageResult]:
        return {}

    await setting.describe(body(IMAGE))
    monkeypatch.setattr(setting.cascade.known.kept, "get_many", nothing)  # looked before the other was done
    outcome = await setting.describe(body(IMAGE))
    assert (outcome.calls, outcome.cached) == (0, 1)
    assert len(setting.server.received) == 1


async def test_deadline_keeps_what_is_done(setting: Setting) -> None:
    gate = Gate(setting.server)
    chat_body = body([image_part(png("a")), image_part(png("b"))])
    before = copy.deepcopy(chat_body)
    waiting = setting.start(chat_body)
    await gate.asked("a", "b")
    setting.clock.time += setting.settings.cascade_deadline  # time is up when the next answer comes
    gate.open("b")
    outcome = await waiting
    assert only_refusal(outcome) == (504, "vision_timeout")
    assert outcome.refusal is not None
    assert outcome.refusal.headers["retry-after"]
    assert chat_body == before
    await setting.server.until(lambda: [received.name for received in setting.server.dropped] == ["a"])
    setting.server.handler = VisionServer("").handler
    again = await setting.describe(chat_body)
    assert (again.calls, again.cached, again.refusal) == (1, 1, None)


async def test_deadline_of_one_does_not_end_the_call_of_another(setting: Setting) -> None:
    gate = Gate(setting.server)
    patient = setting.start(body(IMAGE))
    await gate.asked("a")
    setting.configure(cascade_deadline=0.05)
    assert only_refusal(await setting.describe(body(IMAGE))) == (504, "vision_timeout")
    gate.open("a")
    assert (await patient).refusal is None


async def test_refusal_without_images_needing_calls_never_comes(setting: Setting) -> None:
    setting.server.replies(error(500))
    outcome = await setting.describe(body("no image"))
    assert (outcome.changes, outcome.calls, outcome.cached, outcome.refusal) == ([], 0, 0, None)
    assert setting.server.received == []


async def test_settings_apply_to_the_next_request(setting: Setting) -> None:
    gate = Gate(setting.server)
    first = setting.start(body(IMAGE))
    await gate.asked("a")
    setting.configure(vision_model="other-vision", cascade="never")
    gate.open("a")
    await first
    assert setting.server.received[0].body["model"] == VISION_MODEL
    await setting.describe(body(IMAGE))
    assert setting.server.received[1].body["model"] == "other-vision"
