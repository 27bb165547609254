from __future__ import annotations

import asyncio
import logging

import pytest
from mitmproxy.log import LegacyLogEvents

from hunyuan_fix.hooks.mitmproxy_internals import logs
from tests.proxying import LOCAL, Endpoint, Trust, run_proxy
from tests.waiting import until


def test_lines_are_no_deprecated_events(monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []

    class Events(LegacyLogEvents):
        def __init__(self) -> None:
            super(LegacyLogEvents, self).__init__()

        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.name)

    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, Events()])
    logs.keep_from_legacy_events()
    logs.keep_from_legacy_events()
    logging.getLogger("hunyuan_fix").warning("ours")
    logging.getLogger("somebody").warning("else")
    assert seen == ["somebody"]


async def test_mitmproxys_lines_name_the_server(trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode="off") as proxy,
        proxy.client() as client,
    ):
        answer = await client.post("/chat/completions", json={"model": "any", "messages": []})
        assert answer.status_code == 200
    lines = [record.getMessage() for record in caplog.records if record.name == logs.CONNECTIONS]
    named = {line.split(LOCAL)[0]: logs.server_named(line) for line in lines if logs.server_named(line)}
    assert named == {
        "server connect ": f"{LOCAL}:{endpoint.port}",
        "Streaming request to ": LOCAL,
        "Streaming response from ": LOCAL,
        "server disconnect ": f"{LOCAL}:{endpoint.port}",
    }


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"POST /v1 HTTP/1.1\r\nauthorization: Bearer sk-secret\r\n", "before completing request headers."),
        (b"POST /sk-secret\r\n\r\n", "Bad HTTP request line."),
        (b"POST /v1 HTTP/1.1\r\nBearer sk-secret\r\n\r\n", "Invalid header line."),
    ],
)
async def test_no_line_quotes_the_bytes_of_a_broken_head(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, sent: bytes, said: str
):
    caplog.set_level(logging.INFO)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.reverse_port)
        writer.write(sent)
        writer.write_eof()
        await reader.read()
        writer.close()
        await until(lambda: said in caplog.text)
    assert "secret" not in caplog.text
