"""The ten traps that silently break a mitmproxy addon: docs/facts/mitmproxy.md, its first ten headings.

Where a trap lives on the wire it is tested there, over HTTP/1.1 and HTTP/2; where it lives in mitmproxy's
start, with a real mitmdump.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from mitmproxy import http

from hunyuan_fix import rules
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.cascade import Cascade
from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT, Process, process
from tests.http2_client import Http2Client
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, chat_answer, run_endpoint, run_proxy
from tests.vision_server import VisionServer, image_part, never, png, vision_server

MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))
BAD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
WITH_IMAGE = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
STREAM = (EVENT % ("你好", "null") + ": keep-alive\n\n" + EVENT % ("", '"stop"') + "data: [DONE]\n\n").encode()

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def byte_by_byte(data: bytes) -> Answer:
    return Answer(headers={"content-type": "text/event-stream"}, chunks=[bytes([byte]) for byte in data])


# 1: an empty chunk from a stream callable ends the answer on HTTP/1.1


@both_versions
async def test_1_a_stream_in_tiny_pieces_arrives_whole(proxy: Proxy, endpoint: Endpoint, http2: bool):
    endpoint.answer = byte_by_byte(STREAM)
    async with proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", json={**BAD, "stream": True})
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert answer.content == STREAM


# 2: an exception in a stream callable hangs the client


@both_versions
async def test_2_a_failure_in_a_stream_lets_it_pass(
    proxy: Proxy, endpoint: Endpoint, http2: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fails(*_: object) -> list[bytes]:
        raise RuntimeError

    monkeypatch.setattr(ChatStream, "feed", fails)
    endpoint.answer = byte_by_byte(STREAM)
    async with proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", json={**BAD, "stream": True})
    assert answer.content == STREAM
    assert "mitmproxy has crashed" not in caplog.text


# 3: a CancelledError that leaves a hook hangs the client


@both_versions
async def test_3_a_cancelled_task_gives_an_answer(
    proxy: Proxy, endpoint: Endpoint, http2: bool, monkeypatch: pytest.MonkeyPatch
):
    waiting = asyncio.Event()

    async def waits(*_: object, **__: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Cascade, "describe", waits)
    async with proxy.client(http2=http2) as client:
        asking = asyncio.create_task(client.post("/chat/completions", json=WITH_IMAGE))
        await waiting.wait()
        for task in proxy.addon.tasks:
            task.cancel()
        answer = await asking
    assert answer.status_code == 502
    assert endpoint.arrived == []


# 4: an exception in a hook keeps all later addons from seeing the event


async def test_4_later_scripts_still_see_a_request_that_could_not_be_repaired(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    class Later:
        name = "later"

        def request(self, flow: http.HTTPFlow) -> None:
            flow.request.headers["x-later"] = "seen"

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(rules, "apply_chat", fails)
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", Later()) as proxy,
        proxy.client() as client,
    ):
        await client.post("/chat/completions", json=BAD)
    assert endpoint.arrived[0].json == BAD
    assert endpoint.arrived[0].headers["x-later"] == "seen"
    assert "could not be repaired and leaves unchanged" in caplog.text
    assert "Addon error" not in caplog.text


# 5: wrong and unknown options are ignored, or keep the addon from loading, without a word


def start(trust: Trust, folder: Path, *arguments: str, config: str = "") -> tuple[int, str]:
    """Its exit code, and all that it says."""
    confdir = folder / "confdir"
    shutil.copytree(trust.confdir, confdir)
    (confdir / "config.yaml").write_text(config, encoding="utf-8")
    command = [MITMDUMP, "-s", str(ROOT / "addon/hunyuan_fix.py"), "--set", f"confdir={confdir}"]
    with process("mitmdump", [*command, "--listen-port", str(free_port()), *arguments]) as started:
        return started.wait(), started.output


@pytest.mark.parametrize(
    ("given", "config", "said"),
    [
        ("hunyuan_vision_timeout=abc", "", "hunyuan_vision_timeout=abc: accepted is a number of seconds"),
        (
            "hunyuan_vision_modle=x",
            "",
            "hunyuan_vision_modle: there is no such option; did you mean hunyuan_vision_model",
        ),
        ("hunyuan_intercept_all=maybe", "", "hunyuan_intercept_all: accepted are true and false"),
        ("hunyuan_cascade", "", "hunyuan_cascade: needs a value"),
        ("", "hunyuan_vision_concurrency: many", "hunyuan_vision_concurrency=many: accepted is a whole number"),
        ("", "hunyuan_vison_tries: 2", "hunyuan_vison_tries: there is no such option"),
    ],
)
def test_5_a_wrong_option_ends_the_start(trust: Trust, tmp_path: Path, given: str, config: str, said: str):
    status, output = start(trust, tmp_path, *(["--set", given] if given else []), config=config)
    assert status == 1
    assert len([line for line in output.splitlines() if said in line]) == 1
    assert "Traceback" not in output


# 6: a script is no module while it loads; its folder hides other modules


PROBE = """
import hunyuan_fix, importlib.util, sys
names = ("config", "pipeline", "hooks", "images", "exchange", "route")
found = [name for name in names if importlib.util.find_spec(name)]
twice = [name for name in sys.modules if name.split(".")[0] == "addon"]
print("probe:", hunyuan_fix.__file__, found, twice, flush=True)
"""

NEIGHBOUR = """
import addon
from addon import config_file, log
print("neighbour:", addon.__file__, config_file.OWN, log.OWN, flush=True)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the addon, to be touched."""
    shutil.copytree(ROOT / "addon", tmp_path / "checkout/addon", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "checkout"


@contextmanager
def mitmdump(
    trust: Trust, script: Path | str, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[Process]:
    command = [MITMDUMP, "-s", str(script), "--set", f"confdir={trust.confdir}", *arguments]
    with process("mitmdump", command, environment) as started:
        yield started


@pytest.mark.parametrize("folder", ["checkout/addon", "elsewhere/hunyuan"])
def test_6_the_script_loads_from_anywhere_and_hides_no_module(
    trust: Trust, checkout: Path, tmp_path: Path, folder: str
):
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE, encoding="utf-8")
    home = tmp_path / folder
    if not home.exists():
        shutil.copytree(checkout / "addon", home)
    relative = os.path.relpath(home / "hunyuan_fix.py", ROOT)
    with mitmdump(trust, relative, "-s", str(probe), "-p", "0") as started:
        assert started.wait_for(r"probe: (.*)")[1] == f"{home}/__init__.py [] []"
        started.wait_for(r"listening at 127\.0\.0\.1:")


@pytest.mark.parametrize("first", [True, False], ids=["neighbour first", "hunyuan_fix first"])
def test_6_another_script_has_a_package_addon_of_its_own(trust: Trust, tmp_path: Path, first: bool):
    theirs = tmp_path / "other/addon"
    theirs.mkdir(parents=True)
    for name in ("__init__", "config_file", "log"):
        (theirs / f"{name}.py").write_text("OWN = True\n", encoding="utf-8")
    neighbour = tmp_path / "other/neighbour.py"
    neighbour.write_text(NEIGHBOUR, encoding="utf-8")
    scripts = [neighbour, ROOT / "addon/hunyuan_fix.py"]
    one, two = scripts if first else scripts[::-1]
    with mitmdump(trust, one, "-s", str(two), "-p", "0") as started:
        assert started.wait_for(r"neighbour: (.*)")[1] == f"{theirs}/__init__.py True True"
        started.wait_for("hunyuan-fix is ready")


def test_6_a_second_copy_in_one_process_is_refused(trust: Trust, checkout: Path):
    with mitmdump(trust, ROOT / "addon/hunyuan_fix.py", "-s", str(checkout / "addon/hunyuan_fix.py")) as started:
        started.wait_for(f"{ROOT}/addon/__init__.py is loaded already: one process runs one copy of hunyuan-fix")


# 7: hot reload; what is on its way survives it


async def test_7_a_touched_script_is_loaded_anew_and_ends_what_was_on_its_way(trust: Trust, checkout: Path):
    reloaded = asyncio.Event()

    async def after_the_reload(request: Arrived) -> Answer:
        if "vision" in request.json["model"]:
            await reloaded.wait()
        return chat_answer("a cat")

    port = free_port()
    script = checkout / "addon/hunyuan_fix.py"
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = after_the_reload
        mode = f"reverse:http://{LOCAL}:{endpoint.port}@127.0.0.1:{port}"
        arguments = ["--mode", mode, "--set", f"hunyuan_hosts={LOCAL}", "--set", "hunyuan_store=memory"]
        with mitmdump(trust, script, *arguments) as started:
            await asyncio.to_thread(started.wait_for, "listening at")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", trust_env=False, timeout=30) as client:
                early = asyncio.create_task(client.post("/chat/completions", json=WITH_IMAGE))
                while not endpoint.arrived:
                    await asyncio.sleep(0.01)
                rewrite(script, 'print("loaded anew", flush=True)\n')
                await asyncio.to_thread(started.wait_for, "loaded anew")
                second = await client.post("/chat/completions", json=BAD)
                reloaded.set()
                first = await early
        output = started.output
    assert (first.status_code, second.status_code) == (200, 200)
    assert "cascade" in first.headers["x-hunyuan-fix"]
    assert second.headers["x-hunyuan-fix"] == "parameters"
    assert "a cat" in str(endpoint.arrived[-1].json["messages"])
    assert "Traceback" not in output


def rewrite(script: Path, addition: str) -> None:
    """Add a line to a script, at once and with a later time: mitmproxy looks at its time every second."""
    new = script.with_suffix(".new")
    new.write_text(script.read_text(encoding="utf-8") + addition, encoding="utf-8")
    later = script.stat().st_mtime + 10
    os.utime(new, (later, later))
    new.replace(script)


# 8: mitmproxy listens on all interfaces, and an addon loads too late to change that


def test_8_listeners_without_an_address_move_to_this_machine_and_keep_their_ports(trust: Trust):
    reverse = free_port()
    arguments = ["--mode", "regular@0", "--mode", f"reverse:http://{LOCAL}:1@{reverse}"]
    with mitmdump(trust, ROOT / "addon/hunyuan_fix.py", *arguments) as started:
        first = started.wait_for(r"HTTP\(S\) proxy listening at \*:(\d+)")[1]
        started.wait_for(rf"HTTP\(S\) proxy listening at 127\.0\.0\.1:{first}")
        started.wait_for(rf"reverse proxy to \S+ listening at 127\.0\.0\.1:{reverse}")
        assert "listening on 127.0.0.1 only" in started.output
        for port in (int(first), reverse):
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", port), timeout=10)


@pytest.mark.parametrize("arguments", [["--listen-host", "0.0.0.0"], ["--mode", "regular@0.0.0.0:0"]])
def test_8_an_open_address_that_was_asked_for_needs_consent(trust: Trust, tmp_path: Path, arguments: list[str]):
    status, output = start(trust, tmp_path, *arguments)
    assert status == 1
    assert "0.0.0.0 would let other machines use this proxy" in output


def test_8_with_consent_it_is_open(trust: Trust):
    arguments = ["--listen-host", "0.0.0.0", "-p", "0", "--set", "hunyuan_allow_open"]
    with mitmdump(trust, ROOT / "addon/hunyuan_fix.py", *arguments) as started:
        port = int(started.wait_for(r"listening at (?:\*|0\.0\.0\.0):(\d+)")[1])
        socket.create_connection(("127.0.0.2", port), timeout=10).close()


# 9: a client that leaves does not end what a hook waits for


@pytest.fixture
async def vision() -> AsyncIterator[VisionServer]:
    """An endpoint whose vision calls never end."""
    async with vision_server() as running:
        running.handler = never
        yield running


@both_versions
async def test_9_a_client_that_leaves_ends_its_vision_calls(trust: Trust, vision: VisionServer, http2: bool):
    async with run_proxy(trust, vision.url.removesuffix("/v1"), hunyuan_hosts="127.0.0.1") as proxy:
        async with proxy.client(http2=http2) as client:
            asking = asyncio.create_task(client.post("/chat/completions", json=WITH_IMAGE))
            await vision.until(lambda: len(vision.received) == 1)
            asking.cancel()
            await asyncio.wait({asking})
        await vision.until(lambda: len(vision.dropped) == 1)
        assert len(vision.received) == 1
        assert not proxy.addon.tasks


async def test_9_after_a_stream_reset_nothing_is_sent_on(trust: Trust):
    """HTTP/2: mitmproxy sees the reset only when the hook has ended."""
    described = asyncio.Event()

    async def see(request: Arrived) -> Answer:
        if "vision" in request.json["model"]:
            await described.wait()
        return chat_answer("a cat")

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = see
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy, Http2Client(proxy) as client:
            reset = await client.post(WITH_IMAGE)
            while len(endpoint.arrived) < 1:
                await asyncio.sleep(0.01)
            await client.reset(reset)
            described.set()
            other = await client.post(BAD)
            await client.ended(other)
            await asyncio.gather(*proxy.addon.tasks)
    models = [arrived.json["model"] for arrived in endpoint.arrived]
    assert sorted(models) == ["hunyuan-lite", "hunyuan-vision-1.5-instruct"]


# 10: a proxy in the environment leads the addon's own calls back to it


async def test_10_the_addons_own_calls_do_not_use_the_environments_proxy(trust: Trust, monkeypatch: pytest.MonkeyPatch):
    def see(request: Arrived) -> Answer:
        return chat_answer("a cat" if "vision" in request.json["model"] else "ok")

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = see
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy, proxy.client() as client:
            for name in ("http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
                monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")
            monkeypatch.delenv("no_proxy", raising=False)
            answer = await client.post("/chat/completions", json=WITH_IMAGE)
    assert answer.status_code == 200
    assert len(endpoint.arrived) == 2
    assert "via" not in endpoint.arrived[0].headers
