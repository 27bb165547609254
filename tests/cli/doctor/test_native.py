"""What `doctor --native` says of credentials and clocks; it shows no secret."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from hunyuan_fix.cli.doctor import native
from hunyuan_fix.cli.doctor.situation import Situation
from hunyuan_fix.config.values import BaseUrl
from tests.cli.doctor.situations import at

PAIR = {"TENCENTCLOUD_SECRET_ID": "AKIDsecretid", "TENCENTCLOUD_SECRET_KEY": "thesecretkey"}


def given(tmp_path: Path, **environment: str) -> Situation:
    return replace(at(tmp_path), environment=environment)


@pytest.mark.parametrize(
    ("environment", "id_", "result"),
    [
        ({}, "native/no-keys", "info"),
        (PAIR, "native/keys", "ok"),
        ({**PAIR, "TENCENTCLOUD_SESSION_TOKEN": "tok"}, "native/keys", "ok"),
        ({"TENCENTCLOUD_SECRET_ID": "AKIDsecretid"}, "native/unusable", "problem"),
        ({"TENCENTCLOUD_SECRET_KEY": "thesecretkey"}, "native/unusable", "problem"),
        ({**PAIR, "TENCENTCLOUD_SECRET_KEY": "thesecret key"}, "native/unusable", "problem"),
        ({**PAIR, "TENCENTCLOUD_SECRET_ID": "1|AKIDsecretid"}, "native/unusable", "problem"),
    ],
)
def test_credentials(tmp_path: Path, environment: dict[str, str], id_: str, result: str):
    found = native.credentials(given(tmp_path, **environment))
    assert (found.id, found.result) == (id_, result)
    assert "thesecret" not in str(found)
    assert "AKIDsecretid" not in str(found)


@contextmanager
def endpoint(date: str) -> Iterator[BaseUrl]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert "authorization" not in {name.lower() for name in self.headers}
            self.send_response_only(200)
            if date:
                self.send_header("Date", date)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield BaseUrl("http", "127.0.0.1", server.server_address[1], "")
        server.shutdown()


@pytest.mark.parametrize(
    ("offset", "id_", "result"),
    [
        (0, "native/clock", "ok"),
        (150, "native/clock-near", "warning"),
        (-4000, "native/clock-off", "problem"),
        (None, "native/no-date", "info"),
    ],
)
def test_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int | None, id_: str, result: str):
    now = 1_700_000_000
    monkeypatch.setattr("time.time", lambda: now)
    with endpoint("" if offset is None else formatdate(now + offset, usegmt=True)) as url:
        found = native.clock(replace(given(tmp_path), upstream=url))
    assert (found.id, found.result) == (id_, result)


def test_an_endpoint_that_is_not_there(tmp_path: Path):
    with endpoint("") as url:
        pass
    assert native.clock(replace(given(tmp_path), upstream=url)).id == "native/unreachable"
