"""A session as a file: what others can read, without keys."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.cli.lint import reading
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.page import export
from hunyuan_fix.page.content import Content

GITHUB = "ghp_" + "aB3dE6gH9j" * 4
BODY = json.dumps({"model": "hy3", "messages": [{"role": "user", "content": f"token {GITHUB} 好"}]}).encode()
STREAM = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'


class Kept:
    """As `Contents.get`."""

    def __init__(self, *contents: Content) -> None:
        self.by_id = {str(number): content for number, content in enumerate(contents)}

    def get(self, id: str) -> Content | None:
        return self.by_id.get(id)


def content(at: float = 1795921689.8, came: bytes | None = BODY, answer: bytes | None = STREAM, **more: Any) -> Content:
    plain = Exchange(model="hy3", method="POST", session="s", elapsed=120.5, first_byte=20.5).to_plain()
    del plain["original"]
    given: dict[str, Any] = {
        "url": "https://api.example/v1/chat/completions?a=1&b=%E5%A5%BD",
        "headers": (("Content-Type", "application/json"),),
        "status": 200,
        "answer_type": "text/event-stream",
        **more,
    }
    return Content(plain, came, came, answer, at=at, streamed=True, **given)


def made(kind: str, *contents: Content) -> tuple[bytes, dict[str, str]]:
    kept: Any = Kept(*contents)
    response = export.file("a/b \r\n好", kind, export.written(kept, [*kept.by_id, "gone"], kind))
    return response.body, response.headers


def test_json_lines() -> None:
    body, headers = made("jsonl", content(), content(came=b"\xff junk", answer=None, status=None))
    first, second = map(json.loads, body.splitlines())
    assert first["came"]["messages"][0]["content"] == "token [GitHub token hidden] 好"
    assert first["sent"] == first["came"] and first["answer"] == STREAM.decode()
    assert (first["at"][-5:], first["status"], first["exchange"]["model"]) == (".800Z", 200, "hy3")
    assert (second["came"], second["answer"], second["status"]) == ("\ufffd junk", None, None)
    assert headers["content-disposition"] == 'attachment; filename="hunyuan-fix-a-b.jsonl"'


def test_har_is_read_by_lint(tmp_path: Path) -> None:
    body, _ = made("har", content(), content(came=b"\xff junk", answer=b"\xff\xfe"))
    found = list(reading.requests(body, "session.har", 1 << 20))
    request = found[0]
    assert isinstance(request, reading.Request)
    assert (request.dialect, request.host, request.path) == ("chat", "api.example", "/v1/chat/completions")
    assert isinstance(request.body, dict) and "[GitHub token hidden]" in json.dumps(request.body)
    assert isinstance(found[1], reading.Unreadable)


def test_har_has_what_the_format_demands() -> None:
    """http://www.softwareishard.com/blog/har-12-spec/, and what Chromium's importer looks at."""
    body, headers = made("har", content(answer=b"\xff\xfe"), content(at=1.0, came=None, answer=None, status=None))
    assert headers["content-type"] == "application/json"
    log = json.loads(body)["log"]
    assert log["version"] == "1.2" and log["creator"].keys() >= {"name", "version"} and log["pages"] == []
    for entry in log["entries"]:
        assert entry.keys() >= {"startedDateTime", "time", "request", "response", "cache", "timings"}
        fields = {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"}
        assert entry["request"].keys() >= fields
        fields = {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize"}
        assert entry["response"].keys() >= fields
        assert entry["response"]["content"].keys() >= {"size", "mimeType"}
        assert sum(entry["timings"].values()) == pytest.approx(entry["time"])
        assert min(entry["timings"].values()) >= 0
    first, second = log["entries"]
    assert first["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": "好"}]
    assert base64.b64decode(first["response"]["content"]["text"]) == b"\xff\xfe"
    assert first["response"]["content"]["encoding"] == "base64"
    assert second["response"]["status"] == 0 and "postData" not in second["request"]


@pytest.mark.parametrize("kind", export.FORMATS)
def test_of_too_many_the_last_are_in_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST", 20_000)
    body, _ = made(kind, *(content(at=float(number)) for number in range(50)))
    assert len(body) < 21_000
    found = export.entries(kind, body)
    assert 3 < len(found) < 50
    times = [json.loads(entry).get("at") or json.loads(entry)["startedDateTime"] for entry in found]
    assert times == sorted(times) and times[-1] == "1970-01-01T00:00:49.000Z"


@pytest.mark.parametrize("kind", export.FORMATS)
def test_entries_begin_with_their_time_and_are_found_again(kind: str) -> None:
    body, _ = made(kind, content(at=5.0), content(at=7.0))
    found = export.entries(kind, body)
    assert [b"1970-01-01T00:00:05" in one[: export.LONGEST_AT] for one in found] == [True, False]
    assert export.file("s", kind, found).body == body
