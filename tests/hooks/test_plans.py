"""On the host of a plan no call is made that no client asked for, and none that looks like a machine's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix import profiles, texts
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, chat_answer, json_answer, run_proxy
from tests.vision_server import image_part, png, text_part

PLAN = f"{LOCAL}=tokenhub-plan"
PAID = f"{LOCAL}=tokenhub"
AGENT = {"user-agent": "KimiCLI/1.5", "authorization": "Bearer sk-plan"}
LOOK = {
    "model": "glm-5.2",
    "messages": [{"role": "user", "content": [text_part("What is this?"), image_part(png("picture"))]}],
}


async def asked(trust: Trust, endpoint: Endpoint, path: str, body: Any, **options: Any) -> tuple[int, list[Arrived]]:
    """The status of the answer, and what has reached the endpoint for it."""
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy,
        proxy.client() as client,
    ):
        answer = await client.post(path, json=body, headers=AGENT)
    return answer.status_code, endpoint.arrived


def test_which_profiles_are_plans():
    plans = {name for name in profiles.names() if profiles.load(name).plan}
    assert plans >= {"tokenhub-plan", "tokenhub-coding", "kimi-coding", "dashscope-plan"}
    assert plans.isdisjoint({"tokenhub", "hunyuan", "moonshot", "zenmux", "deepseek", "lkeap"})


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_image_gets_a_note_that_says_why(trust: Trust, endpoint: Endpoint, language: str):
    endpoint.answer = chat_answer("hi")
    status, arrived = await asked(
        trust, endpoint, "/chat/completions", LOOK, hunyuan_hosts=PLAN, hunyuan_language=language
    )
    assert (status, len(arrived)) == (200, 1)
    said = json.dumps(arrived[0].json, ensure_ascii=False)
    assert texts.load(language).image_reasons["plan"] in said
    assert "hunyuan_cascade=always" in said
    assert "image_url" not in said


@pytest.mark.parametrize(
    "wanted", [{"hunyuan_cascade": "always"}, {"hunyuan_vision_model": "glm-5.3-flash"}, {"hunyuan_hosts": PAID}]
)
async def test_an_image_is_described_if_the_user_says_so(trust: Trust, endpoint: Endpoint, wanted: dict[str, str]):
    endpoint.answer = chat_answer("a picture")
    status, arrived = await asked(trust, endpoint, "/chat/completions", LOOK, **{"hunyuan_hosts": PLAN, **wanted})
    assert (status, len(arrived)) == (200, 2)
    assert "a picture" in arrived[1].body.decode()
    expected = "hunyuan-fix" if wanted.get("hunyuan_hosts") else AGENT["user-agent"]
    assert arrived[0].headers["user-agent"] == expected, "a plan's host knows its programs by their name"
    assert arrived[1].headers["user-agent"] == AGENT["user-agent"]


async def test_a_known_description_costs_no_call(trust: Trust, endpoint: Endpoint):
    endpoint.answer = chat_answer("a picture")
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_hosts=PLAN, hunyuan_cascade="always") as proxy,
        proxy.client() as client,
    ):
        await client.post("/chat/completions", json=LOOK, headers=AGENT)
        proxy.master.options.update(hunyuan_cascade="auto")
        await client.post("/chat/completions", json=LOOK, headers=AGENT)
    assert len(endpoint.arrived) == 3
    assert "a picture" in endpoint.arrived[2].body.decode()


@pytest.mark.parametrize(("hosts", "most"), [(PLAN, 1), (PAID, 3)])
async def test_batches_of_embeddings_go_one_by_one(trust: Trust, endpoint: Endpoint, hosts: str, most: int):
    body = {"model": "kinfra-text-embedding-0.6b", "input": [str(number) for number in range(220)]}
    under_way: list[int] = []
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_hosts=hosts) as proxy,
        proxy.client() as client,
    ):

        def answer(arrived: Arrived) -> Answer:
            under_way.append(proxy.addon.runtime.http_client.busy)
            return json_answer(
                {"data": [{"index": n, "embedding": [0.5]} for n, _ in enumerate(arrived.json["input"])]}
            )

        endpoint.answer = answer
        got = await client.post("/embeddings", json=body, headers=AGENT)
    assert (got.status_code, len(under_way)) == (200, 5)
    assert max(under_way) == most


@pytest.mark.parametrize(("hosts", "tries"), [(PLAN, 2), (PAID, 4)])
async def test_one_further_try_at_most(trust: Trust, endpoint: Endpoint, hosts: str, tries: int):
    endpoint.answer = json_answer({"error": {"message": "busy"}}, 503, retry_after="0")
    body = {"model": "glm-5.2", "messages": [{"role": "user", "content": "hi"}]}
    status, arrived = await asked(
        trust,
        endpoint,
        "/chat/completions",
        body,
        hunyuan_hosts=hosts,
        hunyuan_retry="all",
        hunyuan_retry_tries="4",
    )
    assert (status, len(arrived)) == (503, tries)


@pytest.mark.parametrize(("hosts", "tries"), [(PLAN, 2), (PAID, 3)])
@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
async def test_one_further_try_of_its_own_calls_too(
    trust: Trust, endpoint: Endpoint, path: str, hosts: str, tries: int
):
    endpoint.answer = json_answer({"error": {"message": "busy"}}, 503, retry_after="0")
    body = {"model": "kinfra-text-embedding-0.6b", "input": ["x"] * 60} if path == "/embeddings" else LOOK
    _, arrived = await asked(
        trust,
        endpoint,
        path,
        body,
        hunyuan_hosts=hosts,
        hunyuan_vision_model="glm-5.3-flash",
        hunyuan_vision_tries="3",
        hunyuan_concurrency="1",
    )
    first = [request for request in arrived if request.body == arrived[0].body]
    assert len(first) == tries


@pytest.mark.parametrize(("hosts", "tries"), [(PLAN, 2), (PAID, 3)])
async def test_a_mended_try_is_that_one(trust: Trust, endpoint: Endpoint, hosts: str, tries: int):
    """After a further try for a failure that passes, a plan's host gets no mended one."""
    missing = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1"
    refused = json_answer({"error": {"message": missing, "type": "invalid_request_error"}}, 400)
    busy = json_answer({"error": {"message": "busy"}}, 503, retry_after="0")
    answers = iter([busy, refused, chat_answer("hi")])
    endpoint.answer = lambda _: next(answers)
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    body = {
        "model": "some-new-model",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }
    status, arrived = await asked(
        trust, endpoint, "/chat/completions", body, hunyuan_hosts=hosts, hunyuan_retry="all", hunyuan_retry_tries="4"
    )
    assert (status, len(arrived)) == (400 if hosts == PLAN else 200, tries)


async def test_the_name_of_a_program_stays_its_own(trust: Trust, endpoint: Endpoint):
    """Kimi Code's host serves programs that it knows by it (docs/facts/kimi.md#user-agent)."""
    endpoint.answer = chat_answer("hi")
    for retry in ("off", "all"):
        endpoint.arrived.clear()
        body = {"model": "kimi-for-coding", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.2}
        _, arrived = await asked(
            trust,
            endpoint,
            "/chat/completions",
            body,
            hunyuan_hosts=f"{LOCAL}=kimi-coding",
            hunyuan_retry=retry,
        )
        assert [request.headers["user-agent"] for request in arrived] == [AGENT["user-agent"]]
