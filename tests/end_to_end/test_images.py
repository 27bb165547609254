"""The image cascade between real processes: what it costs, who waits for whom, and what ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import KEY, LEGACY, Certificates, Proxy, Simulator, run_proxy
from tests.end_to_end.requests import MODEL, VISION_MODEL, image, tool

pytestmark = pytest.mark.timeout(30)

CHAT = f"https://{LEGACY}/v1/chat/completions"


@pytest.fixture
async def agent(proxy: Proxy) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(proxy) as made:
        yield made


def client_of(proxy: Proxy) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        proxy=proxy.url,
        verify=proxy.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        headers={"authorization": f"Bearer {KEY}"},
    )


def asking(*parts: dict[str, Any], text: str = "What is this?") -> dict[str, Any]:
    """An agent's request with tools and images."""
    content = [{"type": "text", "text": text}, *parts]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [tool()]}


def vision_calls(simulator: Simulator) -> list[dict[str, Any]]:
    return [body for body in simulator.bodies() if body["model"] == VISION_MODEL]


async def test_the_description_stands_where_the_image_was(agent: httpx.AsyncClient, simulator: Simulator) -> None:
    request = asking(image("a ticket"), {"type": "text", "text": "and"}, image("a receipt"))
    assert (await agent.post(CHAT, json=request)).status_code == 200
    chat = simulator.bodies()[-1]
    words = json.dumps(chat["messages"], ensure_ascii=False)
    assert words.index("What is this?") < words.index("a ticket") < words.index("and") < words.index("a receipt")
    assert "图片 1/2" in words
    assert "图片 2/2" in words
    assert len(vision_calls(simulator)) == 2


async def test_an_image_in_a_tool_result_is_read(agent: httpx.AsyncClient, simulator: Simulator) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    request = asking(text="Look.")
    request["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [image("a chart of sales")]},
    ]
    assert (await agent.post(CHAT, json=request)).status_code == 200
    assert "a chart of sales" in json.dumps(simulator.bodies()[-1]["messages"][-1])


async def test_the_second_turn_costs_no_call_and_begins_with_the_same_bytes(
    agent: httpx.AsyncClient, simulator: Simulator
) -> None:
    first = asking(image("a screenshot of turn one"))
    await agent.post(CHAT, json=first)
    later = [{"role": "assistant", "content": "A screenshot."}, {"role": "user", "content": "Go on."}]
    answer = await agent.post(CHAT, json=first | {"messages": first["messages"] + later})
    assert answer.status_code == 200
    chats = [body for body in simulator.bodies() if body["model"] == MODEL]
    assert len(vision_calls(simulator)) == 1
    assert json.dumps(chats[1]["messages"][:1]) == json.dumps(chats[0]["messages"])


async def test_identical_images_at_once_share_one_call(agent: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.program({"fault": "slow:0.3", "match": {"model": VISION_MODEL}})
    request = asking(image("shared by four"))
    answers = await asyncio.gather(*(agent.post(CHAT, json=request) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(vision_calls(simulator)) == 1


async def test_a_slow_image_blocks_nobody_else(agent: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.program({"fault": "slow:1.5", "match": {"model": VISION_MODEL}})
    slow = asyncio.create_task(agent.post(CHAT, json=asking(image("slow to read"))))
    await arrived(simulator, VISION_MODEL)
    quick = await agent.post(CHAT, json=asking(text="No image."))
    assert quick.status_code == 200
    assert not slow.done()
    assert (await slow).status_code == 200


@pytest.fixture(scope="module")
def patient_proxy(certificates: Certificates, legacy_simulator: Simulator) -> Iterator[Proxy]:
    """One that gives a vision call a single try, so that a failure is seen at once."""
    redirects = {f"{LEGACY}:443": legacy_simulator.port}
    with run_proxy(certificates, redirects, "--set", "hunyuan_vision_tries=1") as running:
        yield running


async def test_a_client_that_leaves_ends_its_vision_call(patient_proxy: Proxy, simulator: Simulator) -> None:
    simulator.program({"fault": "stall", "match": {"model": VISION_MODEL}})
    async with client_of(patient_proxy) as agent:
        waiting = asyncio.create_task(agent.post(CHAT, json=asking(image("nobody waits for this"))))
        await arrived(simulator, VISION_MODEL)
        waiting.cancel()
        await asyncio.wait({waiting})
    await until(lambda: bool(simulator.stats()["disconnects"] == 1))
    assert [body["model"] for body in simulator.bodies()] == [VISION_MODEL]


async def test_a_client_that_leaves_takes_nothing_from_one_that_stays(
    patient_proxy: Proxy, simulator: Simulator
) -> None:
    simulator.program({"fault": "slow:1.0", "match": {"model": VISION_MODEL}})
    shared, own = image("two wait for this"), image("one waits for this")
    async with client_of(patient_proxy) as staying:
        async with client_of(patient_proxy) as leaving:
            gone = asyncio.create_task(leaving.post(CHAT, json=asking(shared)))
            await until(lambda: len(vision_calls(simulator)) == 1)
            stays = asyncio.create_task(staying.post(CHAT, json=asking(shared, own)))
            await until(lambda: len(vision_calls(simulator)) == 2)
            gone.cancel()
            await asyncio.wait({gone})
        assert (await stays).status_code == 200
    assert len(vision_calls(simulator)) == 2
    assert simulator.stats()["disconnects"] == 0


async def test_a_failure_that_may_pass_is_an_error_to_try_again_and_nothing_is_forwarded(
    patient_proxy: Proxy, simulator: Simulator
) -> None:
    simulator.program({"fault": "rate_limit", "match": {"model": VISION_MODEL}, "times": 1, "retry_after": "3"})
    request = asking(image("refused once"))
    async with client_of(patient_proxy) as agent:
        refused = await agent.post(CHAT, json=request)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert refused.json()["error"]["message"]
        assert [body["model"] for body in simulator.bodies()] == [VISION_MODEL]
        assert (await agent.post(CHAT, json=request)).status_code == 200


async def test_an_unreadable_image_becomes_a_note_and_the_request_goes_on(
    agent: httpx.AsyncClient, simulator: Simulator
) -> None:
    broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = await agent.post(CHAT, json=asking(broken))
    assert answer.status_code == 200
    assert "image_url" not in json.dumps(simulator.bodies()[-1])


async def test_the_vision_call_carries_the_clients_key_and_a_mark(
    agent: httpx.AsyncClient, simulator: Simulator
) -> None:
    await agent.post(CHAT, json=asking(image("who asks?")))
    headers = dict(simulator.requests()[0]["headers"])
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-hunyuan-fix-call"] == "1"


async def arrived(simulator: Simulator, model: str) -> None:
    """Wait until a request for `model` has reached the simulator."""
    await until(lambda: any(body["model"] == model for body in simulator.bodies()))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until another process is in the state that `condition` asks it for; the test's timeout ends it."""
    while not await asyncio.to_thread(condition):
        continue
