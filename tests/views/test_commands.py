"""The commands, through mitmproxy's own command manager, on flows that really went through the proxy."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import contentviews, exceptions, io
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.test import taddons, tflow

from hunyuan_fix import pipeline
from hunyuan_fix.cascade import Cascade
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.kept import KeepSettings
from hunyuan_fix.kept.answers import KeptAnswers
from hunyuan_fix.kept.reasoning import KeptReasoning
from hunyuan_fix.model_map import reading
from hunyuan_fix.observe.metrics import counter
from hunyuan_fix.plugins.loading import plugins
from hunyuan_fix.rules.explained import explanations
from hunyuan_fix.steps.base import Step
from hunyuan_fix.views.commands import Commands
from hunyuan_fix.vision.vision_call import DryRunVision
from tests.end_to_end.processes import ROOT
from tests.kept_flows import saved_and_read
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, chat_answer, run_proxy, stream_answer
from tests.vision_server import image_part, png
from tests.waiting import until

BAD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "é\ud800"}
RAW = json.dumps(BAD, indent=3).encode() + b"\n"
GOOD = b'{"model": "hunyuan-lite",  "messages": [{"role": "user", "content": "hi"}]}'
REMOVED = "the endpoint does not take this parameter: removed"
MENDED = "halves of characters, or bytes that are no UTF-8, became U+FFFD or the character that was meant"
IMAGE = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}


@dataclass
class Tried:
    proxy: Proxy
    view: View
    """mitmproxy's list of flows: what `@focus` and `@all` mean."""

    def show(self, flow: Flow) -> None:
        """Add `flow` to the list and put the focus on it."""
        self.view.add([flow])
        self.view.focus.flow = flow

    async def post(self, path: str = "/chat/completions", **request: Any) -> HTTPFlow:
        async with self.proxy.client() as client:
            await client.post(path, **request)
        self.view.focus.flow = flow = self.view[-1]
        assert isinstance(flow, HTTPFlow)
        await until(lambda: not flow.live)
        return flow

    def execute(self, line: str) -> Any:
        return self.proxy.master.commands.execute(line)


@pytest.fixture
async def tried(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Tried]:
    view = View()
    endpoint.answer = chat_answer("hello")
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", view) as proxy:
        yield Tried(proxy, view)


def test_mitmproxy_takes_their_signatures():
    kept = KeptAnswers(KeepSettings())
    reasoning = KeptReasoning(KeepSettings(), kept.chain)
    with taddons.context(Commands(Cascade(DryRunVision()), kept, reasoning, str)) as context:
        ours = {name: found for name, found in context.master.commands.commands.items() if name.startswith("hunyuan.")}
    assert {name: found.signature_help() for name, found in ours.items()} == {
        "hunyuan.diff": "hunyuan.diff flow -> str",
        "hunyuan.original": "hunyuan.original flow path",
        "hunyuan.explain": "hunyuan.explain rule -> str",
        "hunyuan.cache.list": "hunyuan.cache.list  -> str[]",
        "hunyuan.cache.clear": "hunyuan.cache.clear  -> str",
        "hunyuan.forget": "hunyuan.forget what -> str",
        "hunyuan.stats": "hunyuan.stats  -> str",
        "hunyuan.queue": "hunyuan.queue  -> str",
        "hunyuan.slow": "hunyuan.slow step -> str",
        "hunyuan.last": "hunyuan.last  -> str",
        "hunyuan.har": "hunyuan.har flows path",
    }
    assert all(found.help for found in ours.values())


async def test_diff(tried: Tried):
    await tried.post(content=RAW)
    assert tried.execute("hunyuan.diff @focus") == (
        "2 changes\n"
        "unicode     /\n"
        f"              {MENDED[: MENDED.index(' the character')]}\n"
        "              the character that was meant\n"
        f"parameters  /user  {REMOVED}\n\n"
        "─── diff ───\n--- as it came\n+++ as it left\n"
        "@@ -5,6 +5,5 @@\n"
        '       "role": "user",\n       "content": "hi"\n     }\n'
        '-  ],\n-  "user": "é\ufffd"\n+  ]\n }\n'
    )


async def test_original_is_the_request_byte_for_byte(tried: Tried, endpoint: Endpoint, tmp_path: Path):
    await tried.post(content=RAW)
    tried.execute(f"hunyuan.original @focus {tmp_path / 'rewritten'}")
    assert (tmp_path / "rewritten").read_bytes() == RAW != endpoint.arrived[0].body
    await tried.post(content=GOOD)
    tried.execute(f"hunyuan.original @focus {tmp_path / 'untouched'}")
    assert (tmp_path / "untouched").read_bytes() == GOOD


async def test_original_of_an_observed_request(tried: Tried, tmp_path: Path):
    await tried.post(content=RAW, headers={"x-hunyuan-mode": "observe"})
    tried.execute(f"hunyuan.original @focus {tmp_path / 'file'}")
    assert (tmp_path / "file").read_bytes() == RAW
    assert tried.execute("hunyuan.diff @focus").startswith("Dry run")


async def test_original_of_a_request_in_an_unknown_coding(tried: Tried, tmp_path: Path):
    await tried.post(content=RAW, headers={"content-encoding": "secret"})
    tried.execute(f"hunyuan.original @focus {tmp_path / 'file'}")
    assert (tmp_path / "file").read_bytes() == RAW


async def test_explain(tried: Tried):
    assert tried.execute("hunyuan.explain merge").startswith("merge: ")
    for rule, explanation in explanations().items():
        text = tried.execute(f"hunyuan.explain {rule}")
        assert text == f"{rule}: {explanation.repairs}\nWhy: {explanation.why}"


def test_explain_lists_the_rows_of_the_model_map():
    table = reading.rows('[{"when": {"tag": "a"}, "model": "m", "force": {"effort": "low"}}, {"system": "Be brief."}]')
    kept = KeptAnswers(KeepSettings())
    reasoning = KeptReasoning(KeepSettings(), kept.chain)
    commands = Commands(Cascade(DryRunVision()), kept, reasoning, str, model_map=lambda: table)
    assert commands.explain("model-map").splitlines()[2:] == [
        "1 (tag a) → model m, effort low (force)",
        "2 → system text (system, missing)",
    ]
    assert len(commands.explain("merge").splitlines()) == 2


async def test_the_cache_is_listed_and_cleared(tried: Tried, endpoint: Endpoint):
    def see(request: Arrived) -> Answer:
        return chat_answer("a cat" if "vision" in request.json["model"] else "ok")

    endpoint.answer = see
    assert tried.execute("hunyuan.cache.list") == []
    await tried.post(json=IMAGE)
    (line,) = tried.execute("hunyuan.cache.list")
    assert line.endswith("5 characters: 'a cat'")
    assert tried.execute("hunyuan.cache.clear") == "1 description forgotten"
    assert tried.execute("hunyuan.cache.list") == []
    await tried.post(json=IMAGE)
    models = [arrived.json["model"] for arrived in endpoint.arrived]
    assert models == ["hunyuan-vision-1.5-instruct", "hunyuan-lite"] * 2


async def test_the_stores_below_are_listed_in_the_log_and_cleared(
    tried: Tried, endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "hunyuan_fix")
    tried.proxy.master.options.update(hunyuan_store=f"sqlite:{tmp_path / 'store'}")
    endpoint.answer = chat_answer("a cat")
    await tried.post(json=IMAGE)
    await tried.proxy.addon.runtime.chain.flush()
    tried.execute("hunyuan.cache.list")
    await until(lambda: "Store sqlite, descriptions listed: 1" in caplog.text)
    said = next(message for message in caplog.messages if "listed" in message)
    assert said.endswith("  5 characters")
    assert "a cat" not in caplog.text
    tried.execute("hunyuan.cache.clear")
    await until(lambda: "Store sqlite: 1 entries forgotten." in caplog.text)
    await tried.post(json=IMAGE)
    assert len(endpoint.arrived) == 4, "asked anew"


async def test_stats(tried: Tried):
    await tried.post(content=RAW)
    await tried.post(content=GOOD)
    lines = tried.execute("hunyuan.stats").splitlines()
    assert lines[0] == "exchanges 2, rewritten 1, observed 0"
    assert "  parameters 1" in lines
    taken = 'hunyuan_exchange_seconds{profile="hunyuan",dialect="chat"} 2 times, on average 0.'
    assert any(line.startswith(taken) for line in lines)
    assert any(line.startswith("checks: ") for line in lines)


class Toy(Step):
    """A new count: its definition, and the place where it is counted."""

    COUNTER = counter("hunyuan_toys_total", "Toys.", "colour")

    async def request(self, exchange: Exchange) -> Response | None:
        self.runtime.metrics.add(self.COUNTER, 2, "red")
        return None


async def test_a_new_metric_of_a_step_is_shown_by_its_definition_alone(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pipeline, "STEPS", (*pipeline.STEPS, Toy))
    endpoint.answer = chat_answer("hello")
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        async with proxy.client() as client:
            await client.post("/chat/completions", content=GOOD)
        assert 'hunyuan_toys_total{colour="red"} 2' in proxy.addon.stats().splitlines()


async def test_queue_names_who_has_a_slot_and_who_waits(tried: Tried, endpoint: Endpoint) -> None:
    """Each by its client and model, in order; nobody's key."""
    held = asyncio.Event()

    async def hold(_: Arrived) -> Answer:
        await held.wait()
        return chat_answer("done")

    assert tried.execute("hunyuan.queue") == "No call is under way, none waits."
    tried.proxy.master.options.update(hunyuan_concurrency="1")
    endpoint.answer = hold
    calls = []
    async with tried.proxy.client() as client:
        for name in ("first-agent/1.0 (x)", "second-agent/2.0"):
            headers = {"user-agent": name, "authorization": "Bearer sk-secret-of-mine"}
            calls.append(asyncio.ensure_future(client.post("/chat/completions", content=GOOD, headers=headers)))
            await until(lambda: len(tried.execute("hunyuan.queue").splitlines()) == 2 + len(calls))
        head, names, *rows = tried.execute("hunyuan.queue").splitlines()
        assert head == "1 slots taken, 1 calls waiting"
        assert names.split() == ["account", "slot", "since", "client", "model", "call"]
        assert ["first-agent" in rows[0], "second-agent" in rows[1]] == [True, True]
        assert ["has a slot" in rows[0], "waits" in rows[1]] == [True, True]
        assert all("hunyuan-lite" in row and "the client's call" in row for row in rows)
        assert "secret" not in "".join(rows)
        page = contentviews.prettify_message(tried.view[-1].request, tried.view[-1], "Hunyuan proxy").text
        assert page.startswith("1 slots taken, 1 calls waiting\n")
        assert "exchanges 0, rewritten 0" in page
        held.set()
        await asyncio.gather(*calls)
    await until(lambda: tried.execute("hunyuan.queue") == "No call is under way, none waits.")


async def test_slow_lists_the_slowest_by_what_took_their_time(tried: Tried) -> None:
    assert tried.execute("hunyuan.slow") == "No exchange has ended yet."
    for _ in range(12):
        await tried.post(content=GOOD, headers={"user-agent": "codex_cli_rs/0.5"})
    head, names, *rows = tried.execute("hunyuan.slow").splitlines()
    assert head == "The slowest of the last 12 exchanges, in milliseconds"
    assert names.split("  ")[0] == "ms in all"
    assert len(rows) == 10
    taken = [int(row.split()[0].replace(",", "")) for row in rows]
    assert taken == sorted(taken, reverse=True)
    assert all("codex" in row and "hunyuan-lite" in row and " 200 " in row for row in rows)
    assert tried.view[0].id[:8] in tried.execute("hunyuan.slow queued")
    assert "Steps: came, described" in await refused(tried, "hunyuan.slow quickly")


async def test_last_tells_the_story_of_an_exchange(tried: Tried, endpoint: Endpoint) -> None:
    def see(request: Arrived) -> Answer:
        return chat_answer("a cat" if "vision" in request.json["model"] else "ok")

    assert "No exchange has ended yet" in await refused(tried, "hunyuan.last")
    endpoint.answer = see
    await tried.post(json={**IMAGE, "user": "me"})
    told = tried.execute("hunyuan.last")
    assert "POST /v1/chat/completions  " in told.splitlines()[0]
    assert "─── timings: " in told
    assert "described" in told
    assert "cascade     /messages/0/content" in told
    assert "vision calls: model hunyuan-vision-1.5-instruct" in told
    assert "called" in told
    assert told.splitlines()[-1] == "ended: 200"


async def test_har(tried: Tried, endpoint: Endpoint, tmp_path: Path):
    await tried.post(content=RAW, headers={"authorization": "s3cret"})
    endpoint.answer = stream_answer(b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n')
    await tried.post(json={**json.loads(GOOD), "stream": True})
    await tried.post("/files", content=b"x")
    tried.show(tflow.tflow(resp=True))
    path = tmp_path / "flows.har"
    tried.execute(f"hunyuan.har @all {path}")
    text = path.read_text(encoding="utf-8")
    assert "s3cret" not in text
    ours = [entry.get("_hunyuan_fix") for entry in json.loads(text)["log"]["entries"]]
    assert ours[0]["rules"] == ["unicode", "parameters"]
    assert ours[0]["changes"] == [
        {"rule": "unicode", "pointer": "", "why": MENDED},
        {"rule": "parameters", "pointer": "/user", "why": REMOVED},
    ]
    assert ours[0]["original"].encode() == RAW
    assert ours[1]["changes"] == [
        {"rule": "answer-stream-end", "pointer": "", "why": "the missing [DONE] is added"},
    ]
    assert ours[2]["rules"] == []
    assert ours[3] is None
    with path.open("rb") as file:
        read = list(io.FlowReader(file).stream())
    assert [flow.request.path for flow in read if isinstance(flow, HTTPFlow)] == [
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/v1/files",
        "/path",
    ]


async def test_they_work_on_a_saved_flow(tried: Tried, tmp_path: Path):
    flow = await tried.post(content=RAW)
    tried.view.clear()
    tried.show(saved_and_read(flow))
    assert tried.execute("hunyuan.diff @focus").startswith("2 changes\n")
    tried.execute(f"hunyuan.original @focus {tmp_path / 'file'}")
    assert (tmp_path / "file").read_bytes() == RAW
    tried.execute(f"hunyuan.har @all {tmp_path / 'har'}")


# Wrong use


async def refused(tried: Tried, line: str) -> str:
    with pytest.raises(exceptions.CommandError) as caught:
        tried.execute(line)
    return str(caught.value)


async def test_a_rule_that_is_none(tried: Tried):
    text = await refused(tried, "hunyuan.explain marge")
    assert "No rule is called 'marge'" in text
    assert "merge" in text


@pytest.mark.parametrize("kind", ["diff", "original"])
@pytest.mark.parametrize("flow", [tflow.tflow(), tflow.ttcpflow(), tflow.tdnsflow()])
async def test_a_flow_of_somebody_else(tried: Tried, kind: str, flow: Any, tmp_path: Path):
    tried.show(flow)
    path = tmp_path / "file" if kind == "original" else ""
    assert "hunyuan-fix has not handled this flow" in await refused(tried, f"hunyuan.{kind} @focus {path}".strip())
    assert not (tmp_path / "file").exists()


async def test_nothing_to_compare(tried: Tried):
    await tried.post(content=GOOD)
    assert "Nothing was changed" in await refused(tried, "hunyuan.diff @focus")


async def test_an_original_that_was_not_kept(tried: Tried, tmp_path: Path):
    tried.proxy.master.options.update(hunyuan_keep_original="0")
    await tried.post(content=RAW)
    assert "hunyuan_keep_original" in await refused(tried, f"hunyuan.original @focus {tmp_path / 'file'}")
    assert "was not kept" in tried.execute("hunyuan.diff @focus")


async def test_a_body_that_was_streamed_past(tried: Tried, tmp_path: Path):
    await tried.post("/files", content=b"x")
    assert "was streamed and not kept" in await refused(tried, f"hunyuan.original @focus {tmp_path / 'file'}")
    assert not (tmp_path / "file").exists()


async def test_a_path_that_can_not_be_written(tried: Tried, tmp_path: Path):
    await tried.post(content=RAW)
    for line in (f"hunyuan.original @focus {tmp_path}", f"hunyuan.har @all {tmp_path}/none/har"):
        assert "can't be written" in await refused(tried, line)


def test_a_plug_in_its_steps_and_its_rules_are_explained():
    kept = KeptAnswers(KeepSettings())
    reasoning = KeptReasoning(KeepSettings(), kept.chain)
    named = ",".join(f"{ROOT}/examples/{name}.py" for name in ("house_style", "blank_lines"))
    made = plugins(named)
    commands = Commands(Cascade(DryRunVision()), kept, reasoning, str, plugins=lambda: made)
    with taddons.context(commands):
        assert commands.explain("house-style") == (
            "house-style: A line of the team's own stands at the end of the system message.\n"
            f"Why: Loaded from {ROOT}/examples/house_style.py. steps: house-style"
        )
        assert commands.explain("blank-lines") == (
            "blank-lines: More than one blank line in a row in a tool's result becomes one.\n"
            "Why: Each of them is a token, in every later turn. "
            f"Loaded from {ROOT}/examples/blank_lines.py. rules: blank-lines"
        )
        assert "merge" in commands.explain("merge")
