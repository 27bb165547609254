"""What `scripts/lint` reads: bodies, JSON lines, HAR files, saved flows; and what it says of anything else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.http import Headers
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils

from hunyuan_fix.exchange import KEY
from tests.cli.lint_run import BROKEN, CLEAN, MODEL, SECRET, Done

GZIPPED = Headers(content_encoding="gzip")


def har(*entries: tuple[str, str, object]) -> dict[str, Any]:
    def post_data(body: object) -> dict[str, Any]:
        return {} if body is None else {"postData": {"mimeType": "application/json", "text": json.dumps(body)}}

    requests = [{"method": method, "url": url, **post_data(body)} for method, url, body in entries]
    return {"log": {"version": "1.2", "entries": [{"request": request, "response": {}} for request in requests]}}


def write_flows(path: Path, *requests: dict[str, Any]) -> Path:
    with path.open("wb") as file:
        writer = FlowWriter(file)
        for request in requests:
            writer.add(tflow.tflow(req=tutils.treq(**{"method": b"POST", "path": b"/v1/chat/completions", **request})))
    return path


@pytest.mark.parametrize(
    ("own", "endpoint"),
    [
        ({"system": "Be brief."}, "anthropic"),
        ({"tools": [{"name": "read", "input_schema": {"type": "object"}}]}, "anthropic"),
        ({"tools": [{"type": "function", "function": {"name": "read"}}]}, "chat"),
        ({"tools": {"input_schema": {}}}, "chat"),
        ({}, "chat"),
    ],
)
def test_a_body_alone_tells_its_format(own: dict[str, Any], endpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps({**CLEAN, "max_tokens": 100, **own}))
    (request,) = Done("--format", "json", file).report["requests"]
    assert request["endpoint"] == endpoint


@pytest.mark.parametrize(
    ("body", "endpoint"),
    [
        ({"input": "a"}, "responses"),
        ({"input": [{"role": "user", "content": "a"}]}, "responses"),
        ({"input": [], "store": False}, "responses"),
        ({"input": ["a"], "instructions": "Be brief."}, "responses"),
        ({"previous_response_id": "resp_1"}, "responses"),
        ({"input": ["a", "b"]}, "embeddings"),
        ({"input": [[1, 2]]}, "embeddings"),
        ({"input": "a", "encoding_format": "base64"}, "embeddings"),
        ({"input": "a", "model": "hunyuan-embedding"}, "embeddings"),
    ],
)
def test_a_body_without_messages_tells_its_format(body: dict[str, Any], endpoint: str) -> None:
    (request,) = Done("--format", "json", stdin={"model": "hy3", **body}).report["requests"]
    assert request["endpoint"] == endpoint


NATIVE = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "a"}, {"Role": "user", "Content": "b"}]}


@pytest.mark.parametrize(
    ("body", "endpoint"), [(NATIVE, "tencent-cloud"), ({"InputList": ["a"]}, "tencent-cloud-embedding")]
)
def test_a_native_body_is_known_by_its_fields(body: dict[str, Any], endpoint: str) -> None:
    (request,) = Done("--format", "json", stdin=body).report["requests"]
    assert request["endpoint"] == endpoint


def test_a_native_request_of_a_har_is_known_by_its_headers(tmp_path: Path) -> None:
    url = "https://hunyuan.tencentcloudapi.com/"
    session = har(("POST", url, NATIVE), ("POST", url, {"Prompt": "a"}))
    for entry, action in zip(session["log"]["entries"], ("ChatCompletions", "GetTokenCount"), strict=True):
        entry["request"]["headers"] = [{"name": "X-TC-Action", "value": action}, None]
    file = tmp_path / "session.har"
    file.write_text(json.dumps(session))
    (request,) = Done("--format", "json", file).report["requests"]
    assert request["endpoint"] == "tencent-cloud"
    assert {change["rule"] for change in request["changes"]} >= {"tencent-cloud"}


def test_a_native_flow_is_read_as_its_client_sent_it(tmp_path: Path) -> None:
    kept = {"spoken": "tencent-cloud", "dialect": "tencent-cloud", "path": "/", "rewritten": True}
    sent = {"content": json.dumps(CLEAN).encode()}
    flow = tflow.tflow(req=tutils.treq(method=b"POST", path=b"/v1/chat/completions", **sent))
    file = tmp_path / "flows"
    for original, endpoint in ((json.dumps(NATIVE).encode(), "tencent-cloud"), (None, "chat")):
        flow.metadata[KEY] = kept | ({} if original is None else {"original": original})
        with file.open("wb") as opened:
            FlowWriter(opened).add(flow)
        (request,) = Done("--format", "json", file).report["requests"]
        assert request["endpoint"] == endpoint


def test_every_request_of_a_har(tmp_path: Path) -> None:
    file = tmp_path / "session.har"
    entries = har(
        ("GET", "https://api.hunyuan.cloud.tencent.com/v1/models", None),
        ("POST", f"https://api.hunyuan.cloud.tencent.com/v1/chat/completions?key={SECRET}", BROKEN),
        ("POST", "https://example.com/[/chat/completions", CLEAN),
        ("POST", "https://tokenhub.tencentmaas.com/v1/chat/completions", {**CLEAN, "model": "hy3"}),
        ("POST", "http://[broken/chat/completions", CLEAN),
        ("POST", "https://api.hunyuan.cloud.tencent.com/v1/embeddings", {"model": "hunyuan-embedding", "input": "a"}),
        ("OPTIONS", "https://api.hunyuan.cloud.tencent.com/v1/chat/completions", None),
        ("POST", "https://api.hunyuan.cloud.tencent.com/v1/chat/completions", [1]),
        ("POST", "https://api.hunyuan.cloud.tencent.com/v1/chat/completions", None),
    )
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(entries).encode())  # Fiddler writes a byte order mark

    done = Done("--format", "json", file)

    assert done.status == 2
    shown = [
        (request["source"], request["endpoint"], request["profile"], request["clean"])
        for request in done.report["requests"]
    ]
    assert shown == [
        (f"{file}, entry 2", "chat", "hunyuan", False),
        (f"{file}, entry 3", "chat", "tokenhub", True),
        (f"{file}, entry 4", "chat", "tokenhub", True),
        (f"{file}, entry 6", "embeddings", "hunyuan", True),
        (f"{file}, entry 8", "chat", "hunyuan", False),
    ]
    (unreadable,) = done.report["unreadable"]
    assert unreadable["source"] == f"{file}, entry 9"
    assert "postData.text" in unreadable["message"]
    assert SECRET not in done.out


def test_every_request_of_a_flow_file(tmp_path: Path) -> None:
    broken = json.dumps(BROKEN).encode()
    file = write_flows(
        tmp_path / "saved.flow",
        {"content": broken, "host": "api.hunyuan.cloud.tencent.com"},
        {"content": broken, "path": b"/v1/models"},
        {"content": broken, "method": b"PUT"},
        {
            "content": gzip.compress(json.dumps({**CLEAN, "model": "hy3"}).encode()),
            "host": "TokenHub.tencentmaas.com",
            "path": b"/v1/chat/completions?a=b",
            "headers": GZIPPED,
        },
        {"content": b"{"},
    )

    done = Done("--format", "json", file)

    assert done.status == 2
    shown = [(request["source"], request["profile"], request["clean"]) for request in done.report["requests"]]
    assert shown == [(f"{file}, flow 1", "hunyuan", False), (f"{file}, flow 4", "tokenhub", True)]
    (unreadable,) = done.report["unreadable"]
    assert unreadable["source"] == f"{file}, flow 5"
    assert "line 1, column 2" in unreadable["message"]
    assert Done(file.rename(tmp_path / "renamed")).status == 2, "known by its contents, not its name"


def test_a_flow_that_the_addon_rewrote(tmp_path: Path) -> None:
    sent = tutils.treq(method=b"POST", path=b"/v1/chat/completions", content=json.dumps(CLEAN).encode())
    kept, not_kept = tflow.tflow(req=sent), tflow.tflow(req=sent)
    change = ["merge", "/messages/1", "joined to the user message before"]
    kept.metadata[KEY] = {"changes": [change], "original": json.dumps(BROKEN).encode()}
    not_kept.metadata[KEY] = {"changes": [change], "original": None}
    file = tmp_path / "saved.flow"
    with file.open("wb") as output:
        writer = FlowWriter(output)
        writer.add(kept)
        writer.add(not_kept)

    found = Done("--format", "json", file).report["requests"]

    assert [(request["source"], request["clean"]) for request in found] == [
        (f"{file}, flow 1, as the client sent it", False),
        (f"{file}, flow 2, as it was sent on", True),
    ]


def test_a_flow_file_that_is_cut_off(tmp_path: Path) -> None:
    file = write_flows(tmp_path / "saved.flow", {"content": json.dumps(CLEAN).encode()}, {"content": b"{}"})
    file.write_bytes(file.read_bytes()[:-10])
    done = Done(file)
    assert done.status == 2
    assert "flow 1  chat" in done.out
    assert "flow 2: not a flow of mitmproxy's" in done.out


def test_a_flow_that_unpacks_to_too_much(tmp_path: Path) -> None:
    file = write_flows(tmp_path / "saved.flow", {"content": gzip.compress(b" " * 10**6), "headers": GZIPPED})
    done = Done("--set", "hunyuan_max_body=100k", file)
    assert done.status == 2
    assert "more than 102400 bytes" in done.out


UNREADABLE = [
    (b"", "empty"),
    (b" \n", "empty"),
    (b'{"messages": [\n  {"role" "user"}]}', "Expecting ':' delimiter at line 2, column 11"),
    (b'{"messages": [NaN]}', "NaN"),
    (b"[" * 2000 + b"]" * 2000, "nested too deep"),
    (b"[1, 2]", "a JSON list"),
    (b"null", "a JSON null"),
    (b'"correct-horse-battery"', "a JSON string"),
    (b"-1.5", "a JSON number"),
    (b'{"name": "correct-horse-battery"}', "neither messages nor input"),
    (b'{"log": {"entries": []}}', "no POST"),
    (b"7:correct-horse-battery", "flow 1: not a flow"),
]


def test_what_can_not_be_read(tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(len(UNREADABLE))]
    for file, (data, _) in zip(files, UNREADABLE, strict=True):
        file.write_bytes(data)

    done = Done(*files)

    assert (done.status, done.err) == (2, "")
    lines = [line for line in done.out.splitlines() if line.startswith("✗")]
    assert len(lines) == len(UNREADABLE)
    for line, file, (_, what) in zip(lines, files, UNREADABLE, strict=True):
        assert line.startswith(f"✗ {file}")
        assert what in line
    assert SECRET not in done.out
    assert [Done(stdin=data).status for data, _ in UNREADABLE[:3]] == [2, 2, 2]


def test_files_that_are_not_there_do_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "clean.json").write_text(json.dumps(CLEAN))
    done = Done("nowhere.json", ".", "clean.json", folder=tmp_path)
    assert done.status == 2
    assert "nowhere.json: No such file" in done.out
    assert ".: Is a directory" in done.out
    assert "✓ clean" in done.out
    assert "requests: 1, of which 1 clean, 0 not; 2 unreadable" in done.out


def test_a_broken_line_among_json_lines() -> None:
    done = Done(stdin=b"\n".join([json.dumps(CLEAN).encode(), b"{", json.dumps(BROKEN).encode()]))
    assert done.status == 2
    assert "standard input, line 2: not JSON" in done.out
    assert "at line 2, column 2" in done.out
    assert "standard input, line 3  chat" in done.out


def test_json_that_only_the_standard_library_reads() -> None:
    body = '{"model": "%s", "messages": [{"role": "user", "content": "a\\ud800"}], "n": 1, "x": 36893488147419103232}'
    done = Done("--fix", "--set", "hunyuan_keep_params=x", stdin=(body % MODEL).encode())
    assert done.status == 1
    assert json.loads(done.out)["messages"][0]["content"] == "a\ud800"
    assert json.loads(done.out)["x"] == 2**65


def test_a_message_for_an_endpoint_that_speaks_messages() -> None:
    """It stays one, and is changed as it would be on its way."""
    tokenhub = ("--profile", "tokenhub")
    asked: dict[str, Any] = {
        "path": "/v1/messages",
        "body": {"model": "hy3", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    }
    clean = Done("--format", "json", *tokenhub, stdin=asked)
    assert (clean.status, clean.only["clean"], clean.only["changes"]) == (0, True, [])
    assert "the endpoint would take it" not in Done(*tokenhub, stdin=asked).out
    asked["body"] |= {"context_management": {}, "model": "claude-opus-4-6"}
    changed = Done("--format", "json", *tokenhub, stdin=asked)
    assert {change["rule"] for change in changed.only["changes"]} == {"anthropic-native", "model"}
    fixed = Done("--fix", *tokenhub, stdin=asked)
    assert json.loads(fixed.out) == {"model": "hy3", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
    assert "how much of it is documented nowhere" in fixed.err
    never = Done("--format", "json", "--set", "hunyuan_translate=never", *tokenhub, stdin=asked)
    assert never.only["changes"] == []


def test_a_web_search_is_the_users_programs_where_there_is_one() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    asked = {
        "model": MODEL,
        "max_tokens": 9,
        "system": "a",
        "tools": tools,
        "messages": [{"role": "user", "content": "b"}],
    }
    searching = ("--set", "hunyuan_search_command=find {query}")
    for options, is_said in ((searching, True), ((), False)):
        done = Done("--format", "json", *options, stdin=asked)
        assert ("web-search" in {change["rule"] for change in done.only["changes"]}) is is_said
    assert Done(*searching, stdin=asked).status == 1
    own = {"path": "/v1/messages", "body": asked | {"model": "hy3"}}
    for options, is_translated in ((searching, True), ((), False)):
        done = Done("--format", "json", "--profile", "tokenhub", *options, stdin=own)
        assert ("anthropic" in {change["rule"] for change in done.only["changes"]}) is is_translated


def test_a_responses_request_is_translated_for_models_that_do_not_speak_it() -> None:
    asked = {"store": False, "input": "a", "tools": [{"type": "custom", "name": "exec"}]}
    for model, rule in (("hy3", "responses-native"), ("kimi-k3", "responses")):
        given = {"path": "/v1/responses", "body": asked | {"model": model}}
        done = Done("--format", "json", "--profile", "tokenhub", stdin=given)
        assert rule in {change["rule"] for change in done.only["changes"]}


def test_requests_in_anthropics_format(tmp_path: Path) -> None:
    """A message is judged by its translation; a count of tokens is none of the endpoint's business."""
    asked = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "[1, 2]"}]}
    done = Done("--fix", stdin={"path": "/anthropic/v1/messages?beta=true", "body": asked})
    (sent,) = [json.loads(line) for line in done.out.splitlines()]
    assert (done.status, sent["model"]) == (1, MODEL)
    assert sent["messages"] == [{"role": "user", "content": "[1, 2]"}]
    counted = Done(stdin={"path": "/v1/messages/count_tokens", "body": asked})
    assert counted.status != 0
    assert "answers itself: nothing is sent" in counted.out
    file = tmp_path / "flows"
    write_flows(
        file, {"path": b"/v1/messages/count_tokens"}, {"path": b"/v1/messages", "content": json.dumps(asked).encode()}
    )
    flows = Done("--format", "json", str(file))
    assert flows.only["source"].endswith("flow 2")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 2000 + b"]" * 2000, "嵌套太深"),
        (b'{"a": ' + b"9" * 5000 + b"}", "不是 JSON：有个数字位数太多"),
        (b'{"a": NaN}', "不是 JSON：含有 NaN"),
        (b'{"a": 1e999}', "不是 JSON：有个数字太大"),
        (b'{"a": "\xff\xff', "不是 JSON：第 7 字节不是 UTF-8"),
    ],
)
def test_why_a_body_is_no_json_is_said_in_chinese(body: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(body)
    done = Done(file, language="zh")
    assert done.status == 2
    assert f"body.json: {why}。" in done.out + done.err
