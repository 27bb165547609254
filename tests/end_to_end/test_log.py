"""What a person reads in the terminal of a real mitmdump: a line for each exchange, and little else."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from pathlib import Path

import httpx
import pytest

from hunyuan_fix.events import Done
from tests.end_to_end.processes import process
from tests.end_to_end.served import ADDON, MITMDUMP, Served, serve
from tests.proxying import LOCAL, Endpoint, Trust, json_answer, run_endpoint
from tests.waiting import until

ANSWER = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "好"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
}
REFUSED = {"error": {"code": "model_not_found", "message": "The model does not exist", "type": "invalid_request_error"}}
BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "secret question"}]}
FAILS = "blocked.invalid"
AGENT = {"user-agent": "opencode/1.18.33 ai-sdk/provider-utils/4.0.46"}


async def of_exchanges(running: Served, endpoint: Endpoint, count: int) -> None:
    """Calls that succeed, then one that is refused; each by a connection of its own."""
    endpoint.answer = json_answer(ANSWER)
    for _ in range(count):
        async with running.client() as client:
            assert (await client.post("/chat/completions", json=BODY, headers=AGENT)).status_code == 200
    endpoint.answer = json_answer(REFUSED, 404)
    async with running.client() as client:
        assert (await client.post("/chat/completions", json=BODY, headers=AGENT)).status_code == 404
    await running.until(r"-> 404")


async def of_telemetry(running: Served, times: int) -> None:
    """A tool's tunnels to a host that isn't there."""
    for _ in range(times):
        async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{running.port}", trust_env=False) as client:
            with pytest.raises(httpx.HTTPError):
                await client.post(f"https://{FAILS}/events")


def lines_after_start(running: Served) -> list[str]:
    said = running.process.output.partition("mitmproxy is running")[2]
    return [re.sub(r"^\[[\d:.]+\]\s*(\[[\d.:]+\]\s*)?", "", line) for line in said.splitlines()[1:]]


async def test_an_exchange_is_one_line(trust: Trust):
    async with run_endpoint(trust, tls=False) as endpoint, serve(trust, endpoint) as running:
        await of_exchanges(running, endpoint, 3)
        *succeeded, failed = [line for line in lines_after_start(running) if "hunyuan-fix is ready" not in line]
        assert len(succeeded) == 3, running.process.output
    for line in succeeded:
        assert re.fullmatch(
            r"POST /v1/chat/completions model=hunyuan-lite rules=\S+ vision_calls=0 cached=0 addon_ms=[\d.]+ "
            r"(queue_ms=\d+ )?first_byte_ms=\d+ ms=\d+ tokens_in=12 tokens_out=3 program=opencode -> 200",
            line,
        ), line
    assert " -> 404 model_not_found: " in failed
    assert "secret" not in running.process.output


async def test_v_shows_connections(trust: Trust):
    async with run_endpoint(trust, tls=False) as endpoint, serve(trust, endpoint, "-v") as running:
        await of_exchanges(running, endpoint, 1)
        said = running.process.output
    assert "client connect" in said
    assert f"server connect {LOCAL}:{endpoint.port}" in said


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_host_that_cannot_be_reached_is_named_once(trust: Trust, language: str):
    option = ("--set", f"hunyuan_language={language}")
    async with run_endpoint(trust, tls=False) as endpoint, serve(trust, endpoint, *option) as running:
        await of_telemetry(running, 30)
        said = f"{FAILS} can't be reached: " if language == "en" else f"无法连接 {FAILS}："
        await running.until(re.escape(said))
        await of_exchanges(running, endpoint, 0)
        lines = [line for line in lines_after_start(running) if FAILS in line]
        assert len(lines) == 1, running.process.output
        assert "error establishing" not in running.process.output


async def test_the_log_is_in_the_language_of_the_terminal(trust: Trust):
    environment = {"LANG": "zh_CN.UTF-8"}
    async with run_endpoint(trust, tls=False) as endpoint, serve(trust, endpoint, environment=environment) as running:
        await of_telemetry(running, 1)
        await running.until(re.escape(f"无法连接 {FAILS}："))


async def test_untrusting_clients_get_one_hint(trust: Trust):
    async with run_endpoint(trust, tls=True) as endpoint, serve(trust, endpoint) as running:
        for _ in range(4):
            async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{running.port}", trust_env=False) as client:
                with pytest.raises(httpx.ConnectError):
                    await client.get(f"https://{LOCAL}:{endpoint.port}/v1/models")
        await running.until("SSL_CERT_FILE=")
        async with running.client() as client:
            await client.get("/models")
        await running.until(r"GET /v1/models")
        assert running.process.output.count("SSL_CERT_FILE=") == 1
        assert "handshake failed" not in running.process.output


# JSON, files, request ids

RUNS = "mitmproxy is running"
EXCHANGE = {"time", "level", "event", "message", *Done.__annotations__}


async def test_json_on_the_terminal_and_in_the_file_is_an_object_on_each_line(trust: Trust, tmp_path: Path):
    file = tmp_path / "hunyuan.log"
    options = ["--set", "hunyuan_log=json", "--set", f"hunyuan_log_file={file}", "-v"]
    async with run_endpoint(trust, tls=False) as endpoint, serve(trust, endpoint, *options) as running:
        await of_exchanges(running, endpoint, 1)
        await of_telemetry(running, 1)
        await running.until("can't be reached")
        running.process.terminate()
        await running.ended()
    # mitmproxy names its scripts before it loads them; the other line is this test's.
    shown = [line for line in running.process.output.splitlines() if "Loading script" not in line and line != RUNS]
    for lines in (shown, file.read_text().splitlines()):
        told = [json.loads(line) for line in lines]
        assert all({"time", "level", "event", "message"} <= line.keys() for line in told)
        answered, refused = [line for line in told if line["event"] == "exchange"]
        assert answered.keys() == refused.keys() == EXCHANGE
        assert (answered["status"], answered["model"], answered["how"]) == (200, "hunyuan-lite", "answered")
        assert refused["failure"].startswith("model_not_found: ")
        assert any("hunyuan-fix is ready" in line["message"] for line in told)
        assert any(line["logger"].startswith("mitmproxy") for line in told if line["event"] == "log")
        assert "secret" not in "".join(lines)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_quiet_terminal_and_a_file_that_is_moved_away(trust: Trust, tmp_path: Path):
    file = tmp_path / "hunyuan.log"
    options = ["-q", "--set", f"hunyuan_log_file={file}"]
    async with run_endpoint(trust, tls=False) as endpoint:
        command = serve(trust, endpoint, *options, awaited=False)
        async with command as running:
            await until(lambda: file.exists() and "hunyuan-fix is ready" in file.read_text())
            endpoint.answer = json_answer(ANSWER)
            for _ in range(2):
                async with running.client() as client:
                    assert (await client.post("/chat/completions", json=BODY, headers=AGENT)).status_code == 200
                await until(lambda: file.exists() and " -> 200\n" in file.read_text())
                file.rename(f"{file}.moved")
    assert running.process.output.strip() == RUNS
    assert Path(f"{file}.moved").read_text().count(" -> 200\n") == 1


async def test_a_log_file_that_cannot_be_opened_ends_the_start(tmp_path: Path):
    command = [MITMDUMP, "-s", str(ADDON), "-p", "0", "--set", f"hunyuan_log_file={tmp_path}/none/x"]
    with process("mitmdump", command) as started:
        assert await asyncio.to_thread(started.wait) == 1
    assert f"hunyuan_log_file={tmp_path}/none/x: the file can't be opened (No such file or directory)" in started.output
