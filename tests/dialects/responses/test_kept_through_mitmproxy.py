"""Answers by id, through a real mitmproxy: continued, read, listed, deleted, and for their own key alone."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.exchange import KEY
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_proxy,
    stream_answer,
)
from tests.waiting import until

MODEL = "hunyuan-turbos-latest"


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        endpoint.answer = echoing
        yield running


def echoing(arrived: Arrived) -> Answer:
    """An answer that says how many messages came."""
    said = f"answer to {len(arrived.json['messages'])}"
    if not arrived.json.get("stream"):
        return chat_answer(said)
    chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": said}}]}
    end = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return stream_answer(*(f"data: {json.dumps(each)}\n\n".encode() for each in (chunk, end)), b"data: [DONE]\n\n")


async def ask(client: httpx.AsyncClient, said: Any, **fields: Any) -> dict[str, Any]:
    response = await client.post("/responses", json={"model": MODEL, "input": said, **fields})
    assert response.status_code == 200, response.text
    if fields.get("stream"):
        events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
        whole: dict[str, Any] = events[-1]["response"]
        return whole
    answer: dict[str, Any] = response.json()
    return answer


def messages(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in endpoint.arrived[-1].json["messages"]]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_continued_by_its_id(proxy: Proxy, endpoint: Endpoint, stream: bool) -> None:
    async with proxy.client() as client:
        first = await ask(client, "one", stream=stream)
        second = await ask(client, "two", stream=stream, previous_response_id=first["id"])
        await ask(client, "three", previous_response_id=second["id"])
        assert messages(endpoint) == [
            ("user", "one"),
            ("assistant", "answer to 1"),
            ("user", "two"),
            ("assistant", "answer to 3"),
            ("user", "three"),
        ]
        await ask(client, "another end", previous_response_id=first["id"])
        assert len(messages(endpoint)) == 3, "a conversation can branch"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_knows_its_last_answer(proxy: Proxy, endpoint: Endpoint, stream: bool) -> None:
    async with proxy.client() as client:
        made = (await client.post("/conversations", json={"metadata": {"topic": "x"}})).json()
        assert made == {
            "id": made["id"],
            "object": "conversation",
            "created_at": made["created_at"],
            "metadata": {"topic": "x"},
        }
        await ask(client, "one", conversation=made["id"], stream=stream)
        second = await ask(client, "two", conversation={"id": made["id"]}, stream=stream)
        assert second["conversation"] == {"id": made["id"]}
        assert (await client.get(f"/responses/{second['id']}")).json() == second
        assert messages(endpoint) == [("user", "one"), ("assistant", "answer to 1"), ("user", "two")]
        listed = (await client.get(f"/conversations/{made['id']}/items", params={"order": "asc"})).json()
        assert [item["content"][0]["text"] for item in listed["data"]] == ["one", "answer to 1", "two", "answer to 3"]
        assert (listed["first_id"], listed["last_id"]) == (listed["data"][0]["id"], listed["data"][-1]["id"])
        assert listed["has_more"] is False
        one = (await client.get(f"/conversations/{made['id']}/items/{listed['first_id']}")).json()
        assert one == listed["data"][0]


async def test_a_conversation_begins_with_items_is_changed_and_deleted(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        item = {"type": "message", "role": "user", "content": "I am Ada."}
        made = (await client.post("/conversations", json={"items": [item]})).json()
        added = await client.post(f"/conversations/{made['id']}/items", json={"items": [item | {"content": "Hi."}]})
        assert added.json()["data"][0]["content"] == [{"type": "input_text", "text": "Hi."}]
        await ask(client, "Who am I?", conversation=made["id"])
        assert messages(endpoint) == [("user", "I am Ada.\n\nHi.\n\nWho am I?")]
        changed = await client.post(f"/conversations/{made['id']}", json={"metadata": {"a": "b"}})
        assert changed.json()["metadata"] == {"a": "b"}
        assert (await client.get(f"/conversations/{made['id']}")).json() == changed.json()
        refused = await client.delete(f"/conversations/{made['id']}/items/msg_1")
        assert refused.status_code == 400
        gone = await client.delete(f"/conversations/{made['id']}")
        assert gone.json() == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
        after = await client.post("/responses", json={"model": MODEL, "input": "x", "conversation": made["id"]})
        assert (after.status_code, after.json()["error"]["code"]) == (404, "conversation_not_found")
    assert len(endpoint.arrived) == 1, "all else is answered here"


async def test_an_item_is_referred_to_by_its_id(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        first = await ask(client, "one")
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        second = await ask(client, [{"role": "user", "content": "one"}, reference, {"role": "user", "content": "two"}])
        assert messages(endpoint) == [("user", "one"), ("assistant", "answer to 1"), ("user", "two")]
        await ask(client, "three", previous_response_id=second["id"])
        assert messages(endpoint)[1] == ("assistant", "answer to 1"), "a reference in an earlier turn is found, too"
        await ask(client, [{"role": "user", "content": "x"}, {"id": reference["id"]}, {"role": "user", "content": "y"}])
        assert messages(endpoint)[1] == ("assistant", "answer to 1"), "the type may be missing"
        await ask(client, [{"id": "msg_of_its_own", "role": "user", "content": "x"}])
        unknown = [{"type": "item_reference", "id": "msg_none"}]
        refused = await client.post("/responses", json={"model": MODEL, "input": unknown})
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "item_not_found")
        assert "msg_none" in refused.json()["error"]["message"]


async def test_what_is_kept_is_read_listed_and_deleted(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        first = await ask(client, "one")
        second = await ask(client, [{"role": "user", "content": "two"}], previous_response_id=first["id"])
        assert (await client.get(f"/responses/{second['id']}")).json() == second
        assert (await client.get(f"/responses/{second['id']}", params={"stream": "true"})).status_code == 400
        items = f"/responses/{second['id']}/input_items"
        listed = (await client.get(items)).json()
        assert [item["content"][0]["text"] for item in listed["data"]] == ["two", "answer to 1", "one"]
        page = (await client.get(items, params={"limit": 1, "order": "asc"})).json()
        assert page["has_more"] is True
        page = (await client.get(items, params={"order": "asc", "after": page["last_id"]})).json()
        assert [item["content"][0]["text"] for item in page["data"]] == ["answer to 1", "two"]
        for wrong in ({"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"order": "up"}, {"after": "msg_none"}):
            assert (await client.get(items, params=wrong)).status_code == 400, wrong
        assert (await client.post(f"/responses/{second['id']}/cancel")).status_code == 400
        gone = await client.delete(f"/responses/{first['id']}")
        assert gone.json() == {"id": first["id"], "object": "response", "deleted": True}
        for path in ("", "/input_items"):
            missing = await client.get(f"/responses/{first['id']}{path}")
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "response_not_found")
        assert (await client.delete(f"/responses/{first['id']}")).status_code == 404
        assert (await client.post(f"/responses/{first['id']}/cancel")).status_code == 404
        after = await client.post(
            "/responses", json={"model": MODEL, "input": "x", "previous_response_id": second["id"]}
        )
        assert (after.status_code, after.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert len(endpoint.arrived) == 2


async def test_what_is_kept_can_be_forgotten(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    forget = proxy.master.commands.execute
    async with proxy.client() as client:
        ids = [(await ask(client, "one"))["id"] for _ in "123"]
        assert forget(f"hunyuan.forget {ids[0]}") == "The result follows in the log."
        await until(lambda: f"{ids[0]}: forgotten" in caplog.text)
        found = [(await client.get(f"/responses/{id}")).status_code for id in ids]
        assert found == [404, 200, 200]
        forget("hunyuan.forget resp_none")
        await until(lambda: "nothing of this id is kept" in caplog.text)
        assert forget("hunyuan.forget alice").startswith("No client token of this name has anything in memory.")
        await until(lambda: "alice: nothing of this id is kept" in caplog.text)
        assert forget("hunyuan.forget all") == "Forgotten in memory: answers 2, reasoning of answers 0"
        assert (await client.get(f"/responses/{ids[1]}")).status_code == 404


async def test_a_tokens_answers_are_its_own_and_can_be_forgotten(
    proxy: Proxy, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {name: f"hf-{name[0] * 43}" for name in ("alice", "bob")}
    path = tmp_path / "clients.toml"
    path.touch(0o600)
    path.write_text("".join(f'[clients.{name}]\nhash = "sha256:{digest_of(t).hex()}"\n' for name, t in tokens.items()))
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")
    proxy.master.options.update(hunyuan_client_tokens_file=str(path))
    alice, bob = ({"authorization": f"Bearer {token}"} for token in tokens.values())
    async with proxy.client(tls=True, headers=alice) as client, proxy.client(tls=True, headers=bob) as other:
        answer = await ask(client, "one")
        assert endpoint.arrived[-1].headers["authorization"] == "Bearer sk-lent", "both have one key at the endpoint"
        assert (await client.get(f"/responses/{answer['id']}")).status_code == 200
        assert (await other.get(f"/responses/{answer['id']}")).status_code == 404
        assert "No client token of this name" in proxy.master.commands.execute("hunyuan.forget bob")
        told = proxy.master.commands.execute("hunyuan.forget alice")
        assert told == "Forgotten in memory: answers 1, reasoning of answers 0"
        assert (await client.get(f"/responses/{answer['id']}")).status_code == 404


async def test_another_key_finds_nothing(proxy: Proxy, endpoint: Endpoint) -> None:
    mine, other = {"authorization": "Bearer sk-mine"}, {"authorization": "Bearer sk-other"}
    async with proxy.client(headers=mine) as client, proxy.client(headers=other) as stranger:
        kept = await ask(client, "my secret")
        made = (await client.post("/conversations", json={})).json()
        body = {"model": MODEL, "input": "x"}
        reference = {"type": "item_reference", "id": kept["output"][0]["id"]}
        for response in (
            await stranger.get(f"/responses/{kept['id']}"),
            await stranger.get(f"/responses/{kept['id']}/input_items"),
            await stranger.delete(f"/responses/{kept['id']}"),
            await stranger.get(f"/conversations/{made['id']}"),
            await stranger.delete(f"/conversations/{made['id']}"),
            await stranger.post("/responses", json=body | {"previous_response_id": kept["id"]}),
            await stranger.post("/responses", json=body | {"conversation": made["id"]}),
            await stranger.post("/responses", json=body | {"input": [reference]}),
        ):
            assert response.status_code in (400, 404)
            assert "secret" not in response.text
        assert (await client.get(f"/responses/{kept['id']}")).status_code == 200
        assert (await client.get(f"/conversations/{made['id']}")).status_code == 200


async def test_what_is_before_a_request_counts_for_its_window(proxy: Proxy, endpoint: Endpoint) -> None:
    proxy.master.options.update(hunyuan_window="5000", hunyuan_overlong="error")
    async with proxy.client() as client:
        items = [{"role": "user", "content": "word " * 3000}] * 3
        made = (await client.post("/conversations", json={"items": items})).json()
        body = {"model": MODEL, "input": "x", "conversation": made["id"]}
        refused = await client.post("/responses", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert (await client.post("/responses", json=body | {"conversation": None})).status_code == 200


async def test_a_history_that_is_too_large_is_refused(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        first = await ask(client, "x" * 3000)
        second = await ask(client, "y" * 3000, previous_response_id=first["id"])
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        proxy.master.options.update(hunyuan_max_body="5000")
        for fields in (
            {"previous_response_id": second["id"]},
            {"previous_response_id": first["id"], "input": [reference]},
            {"input": [{"type": "item_reference", "id": f"msg_{number}"} for number in range(5001)]},
        ):
            if len(fields) == 1 and "input" in fields:
                proxy.master.options.update(hunyuan_max_body="10m")
            refused = await client.post("/responses", json={"model": MODEL, "input": "z", **fields})
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "history_too_long")


async def test_what_is_not_to_be_stored_is_not_kept(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        answer = await ask(client, "one", store=False)
        assert (await client.get(f"/responses/{answer['id']}")).status_code == 404
        kept = await ask(client, "one", store=True)
        assert (await client.get(f"/responses/{kept['id']}")).status_code == 200


async def test_nothing_is_kept_where_the_option_says_so(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        answer = await ask(client, "one")
        proxy.master.options.update(hunyuan_keep="off")
        body = {"model": MODEL, "input": "x"}
        reference = {"type": "item_reference", "id": answer["output"][0]["id"]}
        for fields, param in (
            ({"previous_response_id": answer["id"]}, "previous_response_id"),
            ({"conversation": "conv_1"}, "conversation"),
            ({"input": [reference]}, "input"),
        ):
            refused = await client.post("/responses", json=body | fields)
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"]) == (400, "previous_response_not_found", param)
            assert "hunyuan_keep" in error["message"]
        assert (await client.post("/responses", json=body)).status_code == 200
        proxy.master.options.update(hunyuan_keep="memory")
        assert (await client.get(f"/responses/{answer['id']}")).status_code == 404, "off forgets"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"conversation": ["conv_1"]}, "conversation"),
        ({"conversation": {"id": 7}}, "conversation"),
        ({"conversation": "conv_1", "previous_response_id": "resp_1"}, "previous_response_id"),
    ],
)
async def test_what_is_no_id_is_refused(proxy: Proxy, endpoint: Endpoint, fields: dict[str, Any], param: str) -> None:
    async with proxy.client() as client:
        refused = await client.post("/responses", json={"model": MODEL, "input": "x", **fields})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert endpoint.arrived == []


async def test_a_streamed_answer_is_kept_before_its_end_is_sent(proxy: Proxy, endpoint: Endpoint) -> None:
    ends = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in echoing(endpoint.arrived[-1]).chunks:  # type: ignore[union-attr]
            yield chunk
        await ends.wait()

    endpoint.answer = lambda _: Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
    async with proxy.client() as client:
        body = {"model": MODEL, "input": "x", "stream": True}
        async with client.stream("POST", "/responses", json=body) as response:
            lines = response.aiter_lines()  # held: without it the connection would be closed
            async for line in lines:
                if line.startswith("data: ") and (event := json.loads(line[6:]))["type"] == "response.completed":
                    break
            read = await client.get(f"/responses/{event['response']['id']}")
            assert read.json() == event["response"]
            ends.set()


async def test_a_stream_that_breaks_off_is_not_kept(proxy: Proxy, endpoint: Endpoint) -> None:
    chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": "half"}}]}
    endpoint.answer = stream_answer(f"data: {json.dumps(chunk)}\n\n".encode())
    async with proxy.client() as client:
        await client.post("/responses", json={"model": MODEL, "input": "x", "stream": True})
    assert len(proxy.addon.runtime.kept.chain.memory) == 0


async def test_what_is_kept_stands_in_no_saved_flow(proxy: Proxy, endpoint: Endpoint) -> None:
    flows: list[Any] = []
    proxy.master.addons.add(Taking(flows))
    async with proxy.client() as client:
        first = await ask(client, "alpha")
        await ask(client, "omega", previous_response_id=first["id"])
        refused = {"model": MODEL, "input": "x", "background": True, "previous_response_id": first["id"]}
        assert (await client.post("/responses", json=refused)).status_code == 400
        compacted = {"model": MODEL, "input": "sigma", "instructions": "alpha", "previous_response_id": first["id"]}
        endpoint.answer = json_answer({"error": {"message": "no", "type": "invalid_request_error"}}, 400)
        assert (await client.post("/responses/compact", json=compacted)).status_code == 400
    notes = [flow.metadata[KEY]["notes"] for flow in flows]
    assert len(notes) == 4
    for word in ("alpha", "omega", "sigma", "answer to"):
        assert word not in json.dumps(notes)


class Taking:
    def __init__(self, flows: list[Any]) -> None:
        self.flows = flows

    def response(self, flow: Any) -> None:
        self.flows.append(flow)


@pytest.mark.parametrize("path", ["/responses/{id}", "/Responses//{id}/", "/v1/responses/{id}"])
async def test_however_the_path_is_spelt(proxy: Proxy, endpoint: Endpoint, path: str) -> None:
    async with proxy.client() as client:
        answer = await ask(client, "one")
        response = await client.get(path.format(id=answer["id"]), params={"include": "reasoning.encrypted_content"})
        assert response.json()["id"] == answer["id"]


async def test_summaries_at_once(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        first = await ask(client, "one")
        body = {"model": MODEL, "input": "two", "previous_response_id": first["id"], "stream": True}
        response = await client.post("/responses/compact?api-version=1", json=body)
        answer = response.json()
        assert answer.get("object") == "response.compaction", answer
        assert answer["id"]
        assert isinstance(answer["created_at"], int)
        *users, summary = answer["output"]
        assert [item["content"] for item in users] == [
            [{"type": "input_text", "text": word}] for word in ("one", "two")
        ]
        assert all(item["role"] == "user" and item["id"] and item["status"] == "completed" for item in users)
        assert summary["type"] == "compaction"
        assert (await client.get(f"/responses/{answer['id']}")).status_code == 404


async def test_tokens_are_counted_here(proxy: Proxy, endpoint: Endpoint) -> None:
    async with proxy.client() as client:
        response = await client.post("/responses/input_tokens", json={"model": MODEL, "input": "Hello, how are you?"})
        assert response.json() == {"object": "response.input_tokens", "input_tokens": response.json()["input_tokens"]}
        short = response.json()["input_tokens"]
        assert 3 < short < 40
        first = await ask(client, "a long text " * 100)
        body = {"model": MODEL, "input": "Hello, how are you?", "previous_response_id": first["id"]}
        longer = (await client.post("/responses/input_tokens", json=body)).json()
        assert longer["input_tokens"] > short + 200, "what is before it counts"
    assert len(endpoint.arrived) == 1


async def test_codex_gets_its_catalogue_and_others_the_list(proxy: Proxy, endpoint: Endpoint) -> None:
    listed = {"object": "list", "data": [{"id": "hy3", "object": "model"}]}
    endpoint.answer = json_answer(listed)
    proxy.master.options.update(hunyuan_window="50000")
    async with proxy.client() as client:
        path = "/models?client_version=0.171.0"
        made = (await client.get(path, headers={"user-agent": "codex_exec/0.171.0"})).json()
        assert [(entry["slug"], entry["context_window"]) for entry in made["models"]] == [("hy3", 50000)]
        assert made["data"] == listed["data"]
        assert endpoint.arrived[-1].target == "/v1/models"
        assert (await client.get("/models")).json() == listed
        endpoint.answer = Answer(404)
        made = (await client.get(path, headers={"originator": "codex_vscode"})).json()
        assert "hunyuan-turbos-latest" in [entry["slug"] for entry in made["models"]], "what the profile knows"


async def test_headers_that_are_for_openai_do_not_leave(proxy: Proxy, endpoint: Endpoint) -> None:
    headers = {
        "x-codex-turn-metadata": '{"workspace":"/home/me"}',
        "openai-beta": "responses=experimental",
        "session-id": "1",
        "originator": "codex_exec",
        "accept-language": "zh",
    }
    async with proxy.client(headers=headers) as client:
        await ask(client, "one")
    arrived = endpoint.arrived[-1].headers
    assert arrived["accept-language"] == "zh"
    assert not {*headers} - {"accept-language"} & {*arrived}


async def test_a_websocket_is_refused_at_once(proxy: Proxy, endpoint: Endpoint) -> None:
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "x"}
    for agent in ("codex_exec/0.171.0", "another"):
        async with proxy.client(headers=headers | {"user-agent": agent, "originator": agent}) as client:
            response = await client.get("/responses")
            assert response.status_code == 426
            assert response.headers["upgrade"] == "HTTP/1.1"
            assert response.json()["error"]["code"] == "websocket_not_spoken"
    assert endpoint.arrived == []


async def test_where_nothing_is_translated_the_endpoint_is_asked(proxy: Proxy, endpoint: Endpoint) -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket"}
    proxy.master.options.update(hunyuan_hosts=f"{LOCAL}=tokenhub")
    async with proxy.client() as client:
        asks = await client.get("/responses", headers=upgrade)
        assert asks.status_code == 426, "the endpoint's own format is repaired, which no WebSocket is"
        assert (await client.get("/responses", headers=upgrade | {"x-hunyuan-mode": "off"})).status_code == 400
        assert (await client.post("/conversations")).status_code == 200, "the endpoint keeps nothing"
        proxy.master.options.update(hunyuan_translate="never")
        endpoint.answer = json_answer({"error": {"message": "no"}}, status=404)
        for method, path in (("GET", "/responses/resp_1"), ("POST", "/conversations")):
            assert (await client.request(method, path)).status_code == 404
        assert len(endpoint.arrived) == 2
        asks = await client.get("/responses", headers=upgrade)
        assert asks.status_code == 400, "the endpoint's server says that this is no WebSocket"


@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_what_is_only_watched_goes_to_the_endpoint(proxy: Proxy, endpoint: Endpoint, retry: str) -> None:
    proxy.master.options.update(hunyuan_mode="observe", hunyuan_retry=retry)
    endpoint.answer = json_answer({"error": {"message": "no"}}, status=404)
    async with proxy.client() as client:
        for method in ("GET", "DELETE"):
            response = await client.request(method, "/responses/resp_1?include=x")
            assert (response.status_code, response.json()) == (404, {"error": {"message": "no"}})
            assert "would be answered with 404" in response.headers["x-hunyuan-fix-warning"]
    assert [(arrived.method, arrived.target) for arrived in endpoint.arrived] == [
        ("GET", "/v1/responses/resp_1?include=x"),
        ("DELETE", "/v1/responses/resp_1?include=x"),
    ]
