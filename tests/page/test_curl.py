"""The curl command of an exchange does what its client did, whatever the body holds: told by a real bash and curl."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hunyuan_fix.page.content import Content
from hunyuan_fix.page.curl import _printed, _quoted, command

BASH = shutil.which("bash") or ""
pytestmark = pytest.mark.skipif(not BASH or not shutil.which("curl"), reason="no bash or no curl")
HOSTILE = [
    b"",
    b'it\'s "quoted" `here` $HOME $(touch /tmp/x) ${PATH} !! \\ \\n %s %% %',
    "好 é 🙂\nnew line\r\n\ttab\n\n".encode(),
    b"@/etc/passwd",
    b"-d\nEOF\nEOF\n",
    b"\x1b[201~\x03rm -rf /\x1b]0;title\x07",
    b"\x00\x01\xff\xfe nul \x00",
    "\u0085\u009b31m \u202eevil".encode(),
    b"'" * 50 + b"\\" * 50,
    b'{"a":"' + b"x" * 300_000 + b'"}',
]


TEXTS = some.binary(max_size=60) | some.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))


def bash(script: bytes, **variables: str) -> bytes:
    """What a script writes."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **variables}
    done = subprocess.run([BASH, "--norc"], input=script, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def content(body: bytes | None, **more: Any) -> Content:
    given: dict[str, Any] = {"url": "http://127.0.0.1:1/v1", "headers": (("content-type", "application/json"),), **more}
    return Content({"method": "POST"}, body, None, None, **given)


@settings(max_examples=40, deadline=None)
@given(
    some.lists(
        some.binary(max_size=60) | some.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")), max_size=20
    )
)
def test_bash_writes_any_bytes_as_they_are(bodies: list[bytes]) -> None:
    bodies = bodies + HOSTILE
    script = b"".join(_printed(body) + b"; printf '|%d|'\n" % number for number, body in enumerate(bodies))
    assert bash(script) == b"".join(body + b"|%d|" % number for number, body in enumerate(bodies))


@settings(max_examples=40, deadline=None)
@given(some.lists(some.binary(max_size=40).filter(lambda text: b"\0" not in text), max_size=20))
def test_bash_reads_any_word_as_one(words: list[bytes]) -> None:
    words = words + HOSTILE[:6]
    script = b"printf '%s\\n|' " + b" ".join(map(_quoted, words)) + b"\n"
    assert bash(script) == b"".join(word + b"\n|" for word in words)


@given(some.binary())
def test_a_terminal_is_shown_nothing_but_text(body: bytes) -> None:
    for made in (_printed(body), _quoted(body.replace(b"\0", b""))):
        text = made.decode()
        assert not set(text) & set(map(chr, [*range(10), *range(11, 32), *range(0x7F, 0xA0), 0x202E]))


class Came:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.port = 0


@pytest.fixture(scope="module")
def server() -> Iterator[Came]:
    came = Came()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            came.requests.append((self.command, self.path, headers, body))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"ok")

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _take

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    served = HTTPServer(("127.0.0.1", 0), Handler)
    came.port = served.server_port
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield came
    served.shutdown()
    served.server_close()


@pytest.mark.parametrize("body", HOSTILE)
def test_the_same_bytes_come_again(server: Came, body: bytes) -> None:
    url = f"http://127.0.0.1:{server.port}/v1/../chat?a=[1-3]&b={{x,y}}&key=[redacted]&q='$(id)"
    headers = (
        ("Content-Type", "application/json"),
        ("user-agent", "it's; $HOME"),
        ("content-length", "7"),
        ("x-app", ""),
    )
    made = command(content(body, url=url, headers=headers, before_key="authorization: Bearer "))
    assert b"secret" not in made
    bash(made, API_KEY="my-secret")
    method, path, came_headers, came = server.requests.pop()
    assert came == body
    assert method == "POST"
    assert path == "/v1/../chat?a=[1-3]&b={x,y}&key=my-secret&q='$(id)"
    expected = {
        "content-type": "application/json",
        "user-agent": "it's; $HOME",
        "authorization": "Bearer my-secret",
        "x-app": "",
    }
    assert expected.items() <= came_headers.items()
    assert "accept" not in came_headers and "expect" not in came_headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
def test_without_a_body(server: Came, method: str) -> None:
    made = command(Content({"method": method}, None, None, None, url=f"http://127.0.0.1:{server.port}/v1/models"))
    bash(made)
    assert server.requests.pop()[:2] == (method, "/v1/models")


def test_by_the_proxy_that_its_client_used() -> None:
    made = command(content(b"{}", url="https://api.example/v1", proxy="http://127.0.0.1:8080")).decode()
    assert "--proxy 'http://127.0.0.1:8080'" in made
    assert '--cacert "${CA_FILE:-$HOME/.mitmproxy/mitmproxy-ca-cert.pem}"' in made
    assert Path("/tmp/x").exists() is False
