"""Budgets through a real mitmproxy: what is reserved, counted, warned of and refused, in each client's format."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.budgets.counters import Standing
from hunyuan_fix.observe.statistics import BUDGET_UNPRICED, BUDGET_USED
from hunyuan_fix.steps import budget
from hunyuan_fix.steps.budget import BUDGETS
from tests.hooks.test_runaway import Heard
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.test_events import PICTURE
from tests.vision_server import image_part, png
from tests.waiting import until

ALICE, BOB = f"hf-{'a' * 43}", f"hf-{'b' * 43}"
PATHS = {"chat": "/chat/completions", "anthropic": "/messages", "responses": "/responses"}
WAYS = ("chat", "anthropic", "responses", "anthropic-native", "responses-native")
USED = 100
"""Tokens that each answer says it used."""
IN, OUT = 60, 40
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"model": "hy3", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
    "anthropic": {"model": "hy3", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
    "responses": {"model": "hy3", "input": "hi", "max_output_tokens": 50},
}
CHAT = {
    "id": "1",
    "model": "hy3",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": USED},
}
MESSAGE = {
    **{"id": "msg_1", "type": "message", "role": "assistant", "model": "hy3", "stop_reason": "end_turn"},
    "content": [{"type": "text", "text": "ok"}],
    "usage": {"input_tokens": IN, "output_tokens": OUT},
}
RESPONSE = {
    **{"id": "resp_1", "object": "response", "status": "completed", "model": "hy3", "output": []},
    "usage": {"input_tokens": IN, "output_tokens": OUT, "total_tokens": USED},
}
PARTS = [{"type": "text", "text": "what is it?"}, image_part(png("another"))]
OTHER_PICTURE = PICTURE | {"messages": [{"role": "user", "content": PARTS}]}


def chunks(*, usage: bool = True) -> Iterator[bytes]:
    yield b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"ok"}}]}\n\n'
    yield b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    if usage:
        yield b'data: {"choices":[],"usage":' + json.dumps(CHAT["usage"]).encode() + b"}\n\n"
    yield b"data: [DONE]\n\n"


def answer(request: Arrived) -> Answer:
    if request.target.endswith("/messages"):
        return json_answer(MESSAGE)
    if request.target.endswith("/responses"):
        return json_answer(RESPONSE)
    if request.target.endswith("/embeddings"):
        data = [{"index": i, "embedding": [0.5], "object": "embedding"} for i, _ in enumerate(request.json["input"])]
        used = {"prompt_tokens": 7 * len(data), "total_tokens": 7 * len(data)}
        return json_answer({"object": "list", "data": data, "usage": used})
    if request.json.get("stream"):
        return stream_answer(*chunks())
    return json_answer(CHAT)


@pytest.fixture
def tokens_file(tmp_path: Path) -> str:
    file = tmp_path / "clients.toml"
    tables = [
        f'[clients.{name}]\nhash = "sha256:{digest_of(token).hex()}"\n'
        for name, token in (("alice", ALICE), ("bob", BOB))
    ]
    file.write_text("".join(tables))
    file.chmod(0o600)
    return str(file)


class Running:
    """A proxy with budgets."""

    def __init__(self, proxy: Proxy, endpoint: Endpoint) -> None:
        self.proxy, self.endpoint, self.heard = proxy, endpoint, Heard()
        self.spending = proxy.addon.runtime.spending
        proxy.addon.runtime.sinks.add(self.heard)

    async def post(self, path: str, body: object, key: str = "sk-own", **headers: str) -> httpx.Response:
        """The answer, when all that it used is counted."""
        named = {"authorization": f"Bearer {key}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.proxy.client() as client:
            got = await client.post(path, json=body, headers=named)
        await self.settled()
        return got

    async def chat(self, key: str = "sk-own", **more: Any) -> httpx.Response:
        headers = {name: more.pop(name) for name in list(more) if name.startswith("x_")}
        return await self.post("/chat/completions", BODIES["chat"] | more, key, **headers)

    async def settled(self) -> None:
        await until(lambda: not self.proxy.addon.process.finisher.under_way)
        await until(lambda: not (self.spending._has_news() or self.spending._held))

    def standings(self) -> dict[str, Standing]:
        return {key: known.standing for key, known in self.spending._known.items()}

    async def spent(self) -> list[int]:
        """Of each counter that was used."""
        return [one.spent for one in await self.spending._looked(list(self.spending._known))]

    def counted(self) -> dict[tuple[str, ...], float]:
        return dict(self.proxy.addon.runtime.metrics.collect().get(BUDGETS, {}))


@asynccontextmanager
async def running(trust: Trust, tmp_path: Path, budgets: str, **options: Any) -> AsyncIterator[Running]:
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        target = options.pop("target", f"http://{LOCAL}:{endpoint.port}")
        given: dict[str, Any] = {
            "hunyuan_language": "en",
            "hunyuan_profile": "tokenhub",
            "hunyuan_budgets": budgets,
            "hunyuan_budgets_file": str(tmp_path / "budgets.sqlite3"),
            **options,
        }
        async with run_proxy(trust, target, **given) as proxy:
            yield Running(proxy, endpoint)


# Refused in each format


@pytest.mark.parametrize("way", WAYS)
async def test_counted_then_warned_of_then_refused_and_nothing_is_sent(
    trust: Trust, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    form, _, native = way.partition("-")
    translate = {} if native else {"hunyuan_translate": "always"}
    async with running(trust, tmp_path, f"all day {5 * USED} tokens", **translate) as proxy:
        for number in range(5):
            got = await proxy.post(PATHS[form], BODIES[form])
            assert got.status_code == 200
            warning = got.headers.get("x-hunyuan-fix-warning", "")
            assert ("80% of the budget all day 500 tokens is used; it begins anew at 2" in warning) is (number == 4)
        for _ in range(2):
            got = await proxy.post(PATHS[form], BODIES[form])
            assert got.status_code == (400 if form == "chat" else 402)
            assert got.headers["x-should-retry"] == "false"
            error = got.json()["error"]
            assert (
                "The budget all day 500 tokens is used up: 500 tokens are spent. It begins anew at 2"
                in error["message"]
            )
            assert "hunyuan_budgets" in error["message"]
            assert error["type"] == ("billing_error" if form == "anthropic" else "insufficient_quota")
        assert len(proxy.endpoint.arrived) == 5
        assert proxy.counted() == {("all", "warned"): 1, ("all", "refused"): 2}
        told = proxy.heard.data(events.BUDGET)
        assert [one["action"] for one in told] == ["warned", "refused", "refused"]
        assert [one["budget"] for one in told] == ["all day 500 tokens"] * 3
        ratios = proxy.proxy.addon.runtime.metrics.collect()[BUDGET_USED]
        assert ratios == {("all", "day", "tokens"): 1.0}
    said = [message for message in caplog.messages if "hunyuan_budgets" in message]
    assert [message.partition(": ")[2][:8] for message in said] == ["warned: ", "refused:"], "each is said once"


async def test_claude_code_and_codex_are_ended(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "all day 0 tokens", hunyuan_translate="always") as proxy:
        code = {"user_agent": "claude-cli/2.1.0 (external, cli)", "anthropic_version": "2023-06-01", "x_app": "cli"}
        got = await proxy.post("/messages", BODIES["anthropic"], **code)
        assert (got.status_code, got.headers["x-should-retry"]) == (402, "false")
        codex = {"user_agent": "codex_cli_rs/0.150.0", "originator": "codex_cli_rs"}
        got = await proxy.post("/responses", BODIES["responses"], **codex)
        assert (got.status_code, got.headers["x-should-retry"]) == (400, "false")
        assert proxy.endpoint.arrived == []


async def test_a_stream_is_counted_and_refused(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {2 * USED} tokens") as proxy:
        for _ in range(2):
            assert "[DONE]" in (await proxy.chat(stream=True)).text
        got = await proxy.chat(stream=True)
        assert (got.status_code, got.headers["content-type"]) == (400, "application/json")
        assert await proxy.spent() == [2 * USED]


async def test_under_a_budget_a_stream_s_usage_is_asked_for_and_taken_out_again(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {2 * USED} tokens") as proxy:

        def tells_if_asked(request: Arrived) -> Answer:
            return stream_answer(*chunks(usage=request.json.get("stream_options") == {"include_usage": True}))

        proxy.endpoint.answer = tells_if_asked
        got = await proxy.chat(stream=True)
        assert "usage" not in got.text
        assert await proxy.spent() == [USED]


async def test_a_stream_without_usage_is_estimated(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "all day 100k tokens") as proxy:
        proxy.endpoint.answer = stream_answer(*chunks(usage=False))
        await proxy.chat(stream=True, messages=[{"role": "user", "content": "word " * 1000}])
        (spent,) = await proxy.spent()
        assert 900 < spent < 1500


async def test_embeddings_are_counted_in_parts(trust: Trust, tmp_path: Path) -> None:
    body = {"model": "hunyuan-embedding", "input": ["a"] * 120}
    async with running(trust, tmp_path, "all day 1500 tokens", hunyuan_profile="hunyuan") as proxy:
        for _ in range(2):
            assert (await proxy.post("/embeddings", body)).status_code == 200
        assert await proxy.spent() == [2 * 7 * 120]
        got = await proxy.post("/embeddings", body)
        assert (got.status_code, got.json()["error"]["code"]) == (400, "budget_exceeded")
        assert len(proxy.endpoint.arrived) == 6


async def test_calls_of_the_addon_s_own_count_and_a_spent_budget_makes_none(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {3 * USED} tokens", hunyuan_profile="hunyuan") as proxy:
        assert (await proxy.post("/chat/completions", PICTURE)).status_code == 200
        assert len(proxy.endpoint.arrived) == 2, "the picture was described"
        assert await proxy.spent() == [2 * USED]
        assert (await proxy.post("/chat/completions", PICTURE)).status_code == 200
        assert await proxy.spent() == [3 * USED], "it is known now"
        assert (await proxy.post("/chat/completions", OTHER_PICTURE)).status_code == 400
        assert len(proxy.endpoint.arrived) == 3


async def test_a_try_that_could_not_be_used_counts_where_it_is_billed(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "all day 100k tokens", hunyuan_retry="all") as proxy:
        answers = iter([json_answer({**CHAT, "choices": []}), json_answer(CHAT)])
        proxy.endpoint.answer = lambda _: next(answers)
        assert (await proxy.chat()).status_code == 200
        assert len(proxy.endpoint.arrived) == 2
        assert await proxy.spent() == [2 * USED]


# Whose budget it is


async def test_clients_have_budgets_of_their_own(
    trust: Trust, tmp_path: Path, tokens_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")
    lines = f"client:alice day {2 * USED} tokens, client:* day {USED} tokens"
    async with running(trust, tmp_path, lines, hunyuan_client_tokens_file=tokens_file) as proxy:
        statuses = [
            (await proxy.chat(key)).status_code for key in (BOB, BOB, ALICE, ALICE, ALICE, "sk-own", "sk-other")
        ]
        assert statuses == [200, 400, 200, 200, 400, 200, 400], "those without a token are one client"
        got = await proxy.chat(BOB)
        assert "The budget client:bob day 100 tokens is used up" in got.json()["error"]["message"]


async def test_sessions_have_budgets_of_their_own(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"session:* day {USED} tokens") as proxy:
        statuses = [
            (await proxy.chat(x_session_id=name, messages=[{"role": "user", "content": name}])).status_code
            for name in ("one", "other", "one")
        ]
        assert statuses == [200, 200, 400]


# Money


@pytest.fixture
def priced(tmp_path: Path) -> Iterator[dict[str, Any]]:
    folder = tmp_path / "profiles"
    folder.mkdir()
    row = 'currency = "CNY", as_of = "2026-11-29", source = "contract", input = 10000, cached = 1000, output = 20000'
    (folder / "moonshot.toml").write_text(
        f'currencies = {{ "{LOCAL}" = "CNY" }}\n[models."kimi-k2.6"]\nprices = [{{ {row} }}]\n'
    )
    from hunyuan_fix import profiles

    yield {"hunyuan_profile": "moonshot", "hunyuan_profiles": str(folder)}
    profiles.use(None, lambda _: None)


EACH = (IN * 10_000 + OUT * 20_000) / 1e6
"""Yuan that a call costs."""


async def test_money_is_counted_by_the_price_of_the_model(trust: Trust, tmp_path: Path, priced: dict[str, Any]) -> None:
    async with running(trust, tmp_path, f"all month {2 * EACH} CNY", **priced) as proxy:
        statuses = [(await proxy.chat(model="kimi-k2.6")).status_code for _ in range(3)]
        assert statuses == [200, 200, 400]
        got = await proxy.chat(model="kimi-k2.6")
        assert "The budget all month 2.80 CNY is used up: 2.80 CNY are spent" in got.json()["error"]["message"]


async def test_a_call_without_a_price_passes_with_a_warning_until_the_budget_is_spent(
    trust: Trust, tmp_path: Path, priced: dict[str, Any]
) -> None:
    async with running(trust, tmp_path, f"all month {EACH} CNY", **priced) as proxy:
        got = await proxy.chat(model="kimi-k2.5")
        assert got.status_code == 200
        assert (
            "the price of kimi-k2.5 isn't known in the currency of all month 1.40 CNY"
            in (got.headers["x-hunyuan-fix-warning"])
        )
        assert proxy.counted() == {("all", "unpriced"): 1}
        assert proxy.proxy.addon.runtime.metrics.value(BUDGET_UNPRICED) == 1
        assert await proxy.spent() == [0]
        assert [(await proxy.chat(model=name)).status_code for name in ("kimi-k2.6", "kimi-k2.5")] == [200, 400]


async def test_a_strict_budget_refuses_what_it_cannot_count(
    trust: Trust, tmp_path: Path, priced: dict[str, Any]
) -> None:
    async with running(trust, tmp_path, "all month 10 CNY strict", **priced) as proxy:
        got = await proxy.chat(model="kimi-k2.5")
        assert (got.status_code, got.json()["error"]["code"]) == (400, "budget_price_unknown")
        assert got.headers["x-should-retry"] == "false"
        assert "The price of kimi-k2.5 at localhost isn't known" in got.json()["error"]["message"]
        assert (await proxy.chat(model="kimi-k2.6")).status_code == 200


async def test_currencies_are_never_mixed(trust: Trust, tmp_path: Path, priced: dict[str, Any]) -> None:
    async with running(trust, tmp_path, "all month 0.01 USD, all day 100 CNY", **priced) as proxy:
        got = await proxy.chat(model="kimi-k2.6")
        assert (got.status_code, got.headers.get("x-hunyuan-fix-warning")) == (200, None)
        assert await proxy.spent() == [round(EACH * 1e12)], "of the budget in yuan alone"
    async with running(trust, tmp_path, "all month 0.01 USD", **priced) as proxy:
        assert (
            "isn't known in the currency of all month 0.01 USD"
            in ((await proxy.chat(model="kimi-k2.6")).headers["x-hunyuan-fix-warning"])
        )


# What is reserved


async def test_calls_at_once_do_not_pass_the_limit(
    trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "HELD_WAIT", 0.05)
    async with running(trust, tmp_path, f"all day {4 * USED} tokens") as proxy:
        ready = asyncio.Event()

        async def waiting(request: Arrived) -> Answer:
            await ready.wait()
            return json_answer(CHAT)

        proxy.endpoint.answer = waiting
        body = BODIES["chat"] | {"max_tokens": 2 * USED}  # with its input more than half of the budget
        async with proxy.proxy.client() as client:
            first = asyncio.create_task(client.post("/chat/completions", json=body))
            await until(lambda: proxy.endpoint.arrived)
            second = await client.post("/chat/completions", json=body)
            assert (second.status_code, second.json()["error"]["code"]) == (429, "budget_held")
            assert second.headers["retry-after"] == "5"
            assert "reserved for calls under way; 0 tokens are spent" in second.json()["error"]["message"]
            ready.set()
            assert (await first).status_code == 200
        await proxy.settled()
        assert (await proxy.chat()).status_code == 200
        assert len(proxy.endpoint.arrived) == 2


async def test_a_call_waits_for_those_that_hold_what_is_left(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {4 * USED} tokens") as proxy:
        ready = asyncio.Event()

        async def waiting(request: Arrived) -> Answer:
            await ready.wait()
            return json_answer(CHAT)

        proxy.endpoint.answer = waiting
        body = BODIES["chat"] | {"max_tokens": 2 * USED}
        async with proxy.proxy.client() as client:
            both = [asyncio.create_task(client.post("/chat/completions", json=body)) for _ in range(2)]
            await until(lambda: proxy.endpoint.arrived and len(proxy.spending._held) == 2)
            assert len(proxy.endpoint.arrived) == 1
            ready.set()
            assert [got.status_code for got in await asyncio.gather(*both)] == [200, 200]
        await proxy.settled()
        assert await proxy.spent() == [2 * USED]


async def test_a_client_that_leaves_is_counted_and_holds_nothing(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "all day 100k tokens") as proxy:

        async def never(request: Arrived) -> Answer:
            await asyncio.Event().wait()
            return json_answer(CHAT)

        proxy.endpoint.answer = never
        async with proxy.proxy.client() as client:
            call = asyncio.create_task(client.post("/chat/completions", json=BODIES["chat"]))
            await until(lambda: proxy.endpoint.arrived)
            assert proxy.spending._held
            call.cancel()
        await until(lambda: proxy.spending._held == {} and not proxy.spending._has_news())
        (standing,) = await proxy.spending._looked(list(proxy.spending._known))
        assert standing.held == 0
        assert 0 < standing.spent < USED, "its input, estimated"


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_an_error_of_the_endpoint_costs_nothing(trust: Trust, tmp_path: Path, status: int) -> None:
    async with running(trust, tmp_path, "all day 1k tokens", hunyuan_retry="off") as proxy:
        proxy.endpoint.answer = json_answer({"error": {"message": "no", "code": "x"}}, status)
        assert (await proxy.chat()).status_code >= 400
        assert await proxy.spent() == [0]
        assert [one.held for one in await proxy.spending._looked(list(proxy.spending._known))] == [0]


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 10**30},
        {"max_tokens": -5},
        {"max_tokens": "many"},
        {"max_tokens": 1.5},
        {"max_tokens": True},
        {"max_tokens": None},
        {"n": 10**9},
        {"n": "3"},
        {"messages": []},
        {"messages": [{"role": "user", "content": {"odd": 1}}]},
    ],
)
async def test_hostile_numbers_fail_nothing(trust: Trust, tmp_path: Path, more: dict[str, Any]) -> None:
    async with running(trust, tmp_path, "all day 1G tokens, all month 5 CNY") as proxy:
        await proxy.chat(**more)
        assert proxy.proxy.addon.runtime.failures == 0
        assert not proxy.spending._held


# Modes, changes


async def test_what_is_observed_is_counted_and_not_refused(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {USED} tokens", hunyuan_mode="observe") as proxy:
        assert [(await proxy.chat()).status_code for _ in range(3)] == [200] * 3
        got = await proxy.chat()
        assert "would be answered with 400" in got.headers["x-hunyuan-fix-warning"]
        assert await proxy.spent() == [4 * USED]
        assert proxy.counted() == {("all", "observed"): 3}


@pytest.mark.parametrize("mode", ["observe", "off"])
async def test_no_header_leads_past_a_budget(trust: Trust, tmp_path: Path, mode: str) -> None:
    async with running(trust, tmp_path, f"all day {USED} tokens") as proxy:
        assert (await proxy.chat()).status_code == 200
        got = await proxy.chat(x_hunyuan_mode=mode)
        assert (got.status_code, got.json()["error"]["code"]) == (400, "budget_exceeded")


async def test_what_passes_untouched_is_counted_by_its_size(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "all day 50 tokens", hunyuan_mode="off") as proxy:
        for _ in range(4):
            assert (await proxy.chat()).status_code == 200, "the whole proxy is off: nothing is refused"
        assert (await proxy.spent())[0] > 50


async def test_budgets_that_change_keep_their_counts(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {USED} tokens") as proxy:
        assert [(await proxy.chat()).status_code for _ in range(2)] == [200, 400]
        change = proxy.proxy.master.options.update
        change(hunyuan_budgets=f"all day {2 * USED} tokens")
        assert [(await proxy.chat()).status_code for _ in range(2)] == [200, 400]
        change(hunyuan_budgets="")
        assert (await proxy.chat()).status_code == 200
        change(hunyuan_budgets=f"all day {3 * USED} tokens")
        assert [(await proxy.chat()).status_code for _ in range(2)] == [200, 400], "what came meanwhile isn't counted"


async def test_a_call_that_began_under_a_budget_counts_for_it_when_that_is_gone(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, f"all day {USED} tokens") as proxy:
        change = proxy.proxy.master.options.update

        def answers(request: Arrived) -> Answer:
            change(hunyuan_budgets="")
            return json_answer(CHAT)

        proxy.endpoint.answer = answers
        assert (await proxy.chat()).status_code == 200
        change(hunyuan_budgets=f"all day {USED} tokens")
        assert (await proxy.chat()).status_code == 400


async def test_counts_survive_a_restart(trust: Trust, tmp_path: Path) -> None:
    for expected in (200, 200, 400):
        async with running(trust, tmp_path, f"all day {2 * USED} tokens") as proxy:
            assert (await proxy.chat()).status_code == expected


async def test_without_budgets_no_file_is_made(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "") as proxy:
        assert (await proxy.chat()).status_code == 200
    assert list(tmp_path.glob("budgets*")) == []


async def test_the_status_has_the_budgets(trust: Trust, tmp_path: Path) -> None:
    async with running(trust, tmp_path, "all day 1k tokens, all month 5 CNY") as proxy:
        await proxy.chat()
        await proxy.chat()
        found = proxy.proxy.addon.runtime._status("en")["budgets"]
    assert [(one["budget"], one["spent"], one["limit"]) for one in found] == [
        ("all day 1,000 tokens", USED, 1000),
        ("all month 5.00 CNY", 0.0, 5.0),
    ]


async def test_a_file_that_cannot_be_used_lets_calls_pass_and_says_so(
    trust: Trust, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    place = {"hunyuan_budgets_file": str(tmp_path / "file" / "budgets.sqlite3")}
    async with running(trust, tmp_path, f"all day {2 * USED} tokens", **place) as proxy, proxy.proxy.client() as client:
        for _ in range(2):
            assert (await client.post("/chat/completions", json=BODIES["chat"])).status_code == 200
        await until(lambda: not proxy.spending._held)
        got = await client.post("/chat/completions", json=BODIES["chat"])
        assert got.status_code == 400, "counted by this process alone"
    assert any("Store budgets" in message for message in caplog.messages)
