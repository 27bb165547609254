"""Where the admin server is, who gets its token, and what is said where there is no answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hunyuan_fix.cli import state
from hunyuan_fix.cli.mcp import admin_api
from hunyuan_fix.cli.mcp.admin_api import AdminApi, NotThere, Unanswered
from hunyuan_fix.wire import proxy_errors
from scripts.lib.processes import free_port

TOKEN = "a-token-of-the-admin-server"


class Served:
    """A server that answers each request alike, and keeps what came."""

    def __init__(self, status: int, body: bytes) -> None:
        self.came: list[tuple[str, Mapping[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.came.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.send_header("location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def serve(status: int = 200, body: bytes = b'{"ok": true}') -> Iterator[Served]:
    served = Served(status, body)
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        served.server.shutdown()
        thread.join()
        served.server.server_close()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(f"{TOKEN}\n")
    return file


async def test_it_asks_with_what_is_given_and_leaves_out_what_is_not(token_file: Path) -> None:
    with serve() as served:
        api = AdminApi(served.url, token_file, {})
        assert await api.get("/api/exchanges", session="a b", limit=5, before="", since=None) == {"ok": True}
    ((path, headers),) = served.came
    assert path == "/api/exchanges?session=a+b&limit=5"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["accept-language"] == "en"
    assert api.page("exchanges/1") == f"{served.url}/#/exchanges/1"


@pytest.mark.parametrize(
    "given", [{"HUNYUAN_ADMIN_TOKEN": TOKEN}, {"HUNYUAN_ADMIN_TOKEN_FILE": "FILE"}], ids=["token", "file"]
)
async def test_the_token_is_that_of_the_environment(given: dict[str, str], token_file: Path) -> None:
    with serve() as served:
        await AdminApi(
            served.url, None, {name: value.replace("FILE", str(token_file)) for name, value in given.items()}
        ).get("/")
    assert served.came[0][1]["authorization"] == f"Bearer {TOKEN}"


async def test_without_a_token_none_is_sent() -> None:
    with serve() as served:
        await AdminApi(served.url, None, {}).get("/")
    assert "authorization" not in served.came[0][1]


@pytest.mark.parametrize("url", ["http://192.0.2.1:9464", "http://admin.example", "http://127.0.0.1.example"])
async def test_a_token_goes_to_no_other_machine_unencrypted(url: str) -> None:
    with pytest.raises(Unanswered, match="unencrypted") as raised:
        await AdminApi(url, None, {"HUNYUAN_ADMIN_TOKEN": TOKEN}).get("/status")
    assert TOKEN not in str(raised.value)


async def test_a_redirect_is_not_followed() -> None:
    with serve(302) as served, pytest.raises(Unanswered, match="302"):
        await AdminApi(served.url, None, {"HUNYUAN_ADMIN_TOKEN": TOKEN}).get("/status")
    assert len(served.came) == 1


async def test_by_https_its_certificate_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as served:
        url = served.url.replace("http://", "https://")
        with pytest.raises(Unanswered, match="can't be reached"):
            await AdminApi(url, None, {"HUNYUAN_ADMIN_TOKEN": TOKEN}).get("/status")
    assert served.came == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with serve() as served:
        assert await AdminApi(served.url, None, {}).get("/") == {"ok": True}


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:99999999"])
async def test_an_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(Unanswered, match="--url"):
        await AdminApi(url, None, {}).get("/status")


async def test_no_proxy_runs() -> None:
    with pytest.raises(Unanswered, match="Start one"):
        await AdminApi("", None, {}, find=lambda: "").get("/status")


async def test_the_proxy_is_looked_for_at_each_question() -> None:
    with serve() as served:
        found = iter(["", served.url])
        api = AdminApi("", None, {}, find=lambda: next(found))
        with pytest.raises(Unanswered):
            await api.get("/status")
        assert await api.get("/status") == {"ok": True}


def test_it_is_that_of_the_proxy_that_was_started_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class One:
        def __init__(self, admin_url: str) -> None:
            self.admin_url = admin_url

    monkeypatch.setattr(state, "running", lambda: [One(""), One("http://127.0.0.1:2"), One("http://127.0.0.1:1")])
    assert admin_api.of_the_running_proxy() == "http://127.0.0.1:2"


async def test_nothing_listens() -> None:
    with pytest.raises(Unanswered, match="can't be reached"):
        await AdminApi(f"http://127.0.0.1:{free_port()}", None, {}).get("/status")


async def test_the_token_is_missing_or_wrong() -> None:
    body = proxy_errors.ADMIN_TOKEN_INVALID().response().body
    with serve(401, body) as served, pytest.raises(Unanswered, match="--token-file"):
        await AdminApi(served.url, None, {}).get("/status")


async def test_a_token_file_that_others_may_read_is_said(token_file: Path) -> None:
    os.chmod(token_file, 0o644)
    with pytest.raises(Unanswered, match="can't be read") as raised:
        await AdminApi("http://127.0.0.1:1", token_file, {}).get("/status")
    assert TOKEN not in str(raised.value)


async def test_what_is_not_there_tells_path_from_exchange() -> None:
    for error, is_path in ((proxy_errors.ADMIN_NO_SUCH_PATH(), True), (proxy_errors.ADMIN_NO_SUCH_EXCHANGE(), False)):
        with serve(404, error.response().body) as served, pytest.raises(NotThere) as raised:
            await AdminApi(served.url, None, {}).get("/api/exchanges/x")
        assert raised.value.is_path is is_path


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"[" * 100_000, b"\xff", b'"x"'])
@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_no_admin_server_is_said(status: int, body: bytes) -> None:
    with serve(status, body) as served, pytest.raises(Unanswered):
        await AdminApi(served.url, None, {}).get("/status")


async def test_an_answer_that_never_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_api, "MOST_BYTES", 1 << 20)
    with (
        serve(200, b'{"x": "' + b"x" * (2 << 20) + b'"}') as served,
        pytest.raises(Unanswered, match="larger than 1 MB"),
    ):
        await AdminApi(served.url, None, {}).get("/status")


def test_a_part_of_a_path_leads_nowhere_else() -> None:
    assert admin_api.segment("../status?x#y") == "..%2Fstatus%3Fx%23y"
