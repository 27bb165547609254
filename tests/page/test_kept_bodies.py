"""Bodies behind the page, of a live proxy: as text, as a curl command that works, as images and files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli.lint import reading
from tests.end_to_end.processes import KEY, LEGACY
from tests.page.conftest import Watch, Watched
from tests.vision_server import png

pytestmark = pytest.mark.process
WORDS = 'it\'s "quoted" `here` $HOME $(id) !! \\n %s 好\n\x1b[31m'


def asked(*contents: Any) -> bytes:
    messages = [{"role": "user", "content": content} for content in contents]
    return json.dumps({"model": "hunyuan-turbos-latest", "messages": messages}, ensure_ascii=False).encode()


def ask(watched: Watched, body: bytes, **headers: str) -> httpx.Response:
    with watched.client(LEGACY) as client:
        return client.post("/chat/completions", content=body, headers={"content-type": "application/json", **headers})


def newest(watched: Watched) -> dict[str, Any]:
    found: dict[str, Any] = watched.get("/api/exchanges", limit="1").json()["exchanges"][0]
    return found


def raw(watched: Watched, id: str, part: str, **more: str) -> httpx.Response:
    return watched.get(f"/api/exchanges/{id}/raw/{part}", **more)


def test_what_came_what_left_and_the_answer(watched: Watched) -> None:
    sent = asked("a", "b")
    answer = ask(watched, sent)
    assert answer.status_code == 200, answer.text
    id = newest(watched)["id"]
    came, left, got = (raw(watched, id, part) for part in ("came", "sent", "answer"))
    assert came.content == sent
    assert came.headers["content-type"] == "text/plain; charset=utf-8"
    assert came.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in came.headers["content-security-policy"]
    assert len(left.json()["messages"]) == 1
    assert got.content == answer.content
    pretty = raw(watched, id, "came", pretty="1").text
    assert json.loads(pretty) == json.loads(sent) and pretty.count("\n") > 5


def test_the_curl_command_sends_the_same_bytes_once_more(watched: Watched) -> None:
    sent = asked(WORDS, WORDS)
    assert ask(watched, sent).status_code == 200
    first = newest(watched)
    command = watched.get(f"/api/exchanges/{first['id']}/curl").content
    assert KEY.encode() not in command and b"$API_KEY" in command
    bash, authority = shutil.which("bash"), watched.proxy.certificates.proxy_ca
    assert bash and shutil.which("curl")
    environment = {"PATH": os.environ["PATH"], "API_KEY": KEY, "CA_FILE": str(authority)}
    done = subprocess.run([bash], input=command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "choices" in json.loads(done.stdout)
    second = newest(watched)
    assert second["id"] != first["id"]
    assert raw(watched, second["id"], "came").content == sent
    assert raw(watched, second["id"], "sent").content == raw(watched, first["id"], "sent").content


def test_its_images(watched: Watched) -> None:
    part = {"type": "image_url", "image_url": {"url": png("one")}}
    ask(watched, asked([part, {"type": "text", "text": "what is it?"}]))
    id = newest(watched)["id"]
    image = watched.get(f"/api/exchanges/{id}/images/1")
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    assert image.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert image.headers["content-disposition"] == "inline" and "sandbox" in image.headers["content-security-policy"]
    missing = watched.get(f"/api/exchanges/{id}/images/2")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "admin_no_such_image")


def test_a_session_as_a_file(watched: Watched) -> None:
    secret = "ghp_" + "aB3dE6gH9j" * 4
    for text in ("first", f"second {secret}"):
        ask(watched, asked(text), **{"x-session-id": "exported"})
    session = newest(watched)["session"]
    har = watched.get(f"/api/sessions/{session}/export/har")
    lines = watched.get(f"/api/sessions/{session}/export/jsonl")
    assert secret not in har.text + lines.text and KEY not in har.text + lines.text
    assert har.headers["content-disposition"].startswith("attachment; filename=")
    found = list(reading.requests(har.content, "session.har", 1 << 20))
    assert [request.body["messages"][0]["content"] for request in found] == [  # type: ignore[union-attr, index]
        "first",
        "second [GitHub token hidden]",
    ]
    assert [json.loads(line)["status"] for line in lines.text.splitlines()] == [200, 200]
    nobodys = watched.get("/api/sessions/nobodys/export/har")
    assert (nobodys.status_code, nobodys.json()["error"]["code"]) == (404, "admin_no_such_session")


def test_off_is_said_in_words(watch: Watch) -> None:
    with watch("--set", "hunyuan_page_content=false") as off:
        ask(off, asked("a"))
        id = newest(off)["id"]
        for path in (
            f"exchanges/{id}/raw/came",
            f"exchanges/{id}/curl",
            f"exchanges/{id}/images/1",
            "sessions/a/export/har",
        ):
            answer = off.get(f"/api/{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "admin_content_off"), path
            assert "hunyuan_page_content" in answer.json()["error"]["message"]
        unknown = off.get("/api/exchanges/5b37e441-0274-4aed-90ed-d3176dc2deac/raw/came")
        assert unknown.json()["error"]["code"] in ("admin_content_off", "admin_no_such_exchange")
