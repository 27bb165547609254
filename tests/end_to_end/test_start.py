"""Starting mitmdump with the addon as a person does: what it says, where it listens, what it refuses."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from scripts.lib import starts
from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT, Certificates, Process, process, proxy_command
from tests.proxying import LOCAL, Trust, json_answer, run_endpoint
from tests.waiting import until

MITMDUMP = Path(sys.executable).with_name("mitmdump")
ADDON = ROOT / "addon/hunyuan_fix.py"


def start(certificates: Certificates, *arguments: str) -> tuple[int, str]:
    """Run the plain command to its end: its exit code, and all that it says."""
    command = [str(MITMDUMP), "-s", str(ADDON), "--set", f"confdir={certificates.confdir}", *arguments]
    with process("mitmdump", command) as started:
        return started.wait(), started.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "hunyuan_cascade=sometimes"], "hunyuan_cascade"),
        (["--set", "hunyuan_max_body=plenty"], "hunyuan_max_body"),
        (["--set", "hunyuan_visoin_model=x"], "hunyuan_visoin_model"),
        (["--set", "stream_large_bodies=1m"], "stream_large_bodies"),
        (["--listen-host", "0.0.0.0"], "proxyauth"),
        (["--mode", "regular@0.0.0.0:0"], "proxyauth"),
    ],
)
def test_a_bad_start_ends_with_one_clear_line(certificates: Certificates, arguments: list[str], said: str) -> None:
    port = ["--listen-port", str(free_port())]
    status, output = start(certificates, *port, *arguments)
    assert status != 0
    lines = output.splitlines()
    assert len([line for line in lines if said in line]) == 1
    assert said in lines[-1]
    assert "listening at" not in output
    assert "Traceback" not in output


def test_the_plain_command_listens_on_loopback_only(certificates: Certificates, tmp_path: Path) -> None:
    port = free_port()
    command = [str(MITMDUMP), "-s", str(ADDON), "--set", f"confdir={certificates.confdir}", "--listen-port", str(port)]
    with process("mitmdump", command) as started:
        started.wait_for(rf"listening at 127\.0\.0\.1:{port}")
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        for address in other_addresses():
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), timeout=10)


def other_addresses() -> set[str]:
    """This machine's addresses beyond 127.0.0.1; 127.0.0.2 is bound with "all interfaces" on Linux."""
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    linux = {"127.0.0.2"} if sys.platform == "linux" else set()
    return {str(address) for address in own} - {"127.0.0.1"} | linux


def test_it_ends_cleanly_when_told_to(certificates: Certificates) -> None:
    command, _ = proxy_command(certificates)
    with process("mitmdump", command, {"HUNYUAN_FIX_TEST_REDIRECTS": "{}"}) as started:
        started.wait_for(r"reverse proxy to \S+ listening")
        started.terminate()
        assert started.wait() == 0
        assert not re.search("Traceback|Error", started.output)


def test_the_plain_command_makes_its_ca_under_the_lock(tmp_path: Path) -> None:
    command = [str(MITMDUMP), "-s", str(ADDON), "--listen-port", str(free_port())]
    with process("mitmdump", command, {"HOME": str(tmp_path)}) as started:
        started.wait_for("hunyuan-fix is ready")
        assert (tmp_path / ".mitmproxy/hunyuan-fix-ca.lock").exists()
        assert (tmp_path / ".mitmproxy/mitmproxy-ca-cert.pem").exists()


def test_all_that_is_wrong_is_said_at_once(certificates: Certificates) -> None:
    wrong = ["hunyuan_visoin_model=x", "hunyuan_retyr=all", "hunyuan_cascade=sometimes"]
    status, output = start(certificates, *(word for each in wrong for word in ("--set", each)))
    assert status == 1
    assert all(each.partition("=")[0] in output for each in wrong)


async def test_starts_that_must_fail_end_with_status_1() -> None:
    """200 of them and what else there is: python -m scripts.lib.starts."""
    ended = await starts.outcomes(5, 2, ["value", "name", "port", "script, loading", "script, running"])
    assert {status for _, status in ended} == {1}
    assert ended.total() == 5


# Clients that come while mitmproxy starts


@asynccontextmanager
async def held(trust: Trust, file: Path, *arguments: str) -> AsyncIterator[Process]:
    """A mitmproxy whose start is held until there is `file`."""
    command = [str(MITMDUMP), "-v", "-s", str(ADDON), "-s", str(ROOT / "tests/end_to_end/held_start.py")]
    command += ["--set", f"confdir={trust.confdir}", "--set", f"hunyuan_hosts={LOCAL}", "--set", "hunyuan_store=memory"]
    with process("mitmdump", [*command, *arguments], {"HUNYUAN_FIX_TEST_HELD": str(file)}) as started:
        yield started


async def connected(started: Process, clients: int) -> None:
    """Wait until so many clients wait."""
    await until(lambda: started.output.count("client connect") >= clients, lambda: started.output)


async def asked(port: int, target: str) -> bytes:
    """What the first connection that the port accepts is answered; tried from before there is such a port."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.002)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {LOCAL}\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("by", ["a given address", "no address"])
async def test_the_first_connection_that_is_accepted_is_served(trust: Trust, tmp_path: Path, by: str) -> None:
    port, file = free_port(), tmp_path / "go on"
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = json_answer({"object": "list", "data": []})
        if by == "no address":  # the port is bound to all addresses first, and then to this machine alone
            arguments, target = ["--listen-port", str(port)], f"http://{LOCAL}:{endpoint.port}/v1/models"
        else:
            mode = f"reverse:http://{LOCAL}:{endpoint.port}@127.0.0.1:{port}"
            arguments, target = ["--mode", mode], "/v1/models"
        clients = [asyncio.create_task(asked(port, target)) for _ in range(30)]
        async with held(trust, file, *arguments) as started:
            await asyncio.to_thread(started.wait_for, "The start is held")
            await connected(started, len(clients))
            assert not any(client.done() for client in clients)
            assert endpoint.arrived == []
            file.touch()
            for answer in await asyncio.gather(*clients):
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert answer.endswith(b'{"object": "list", "data": []}')
        assert len(endpoint.arrived) == len(clients)


async def test_clients_of_a_start_that_fails_are_closed(trust: Trust, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "go on"
    mode = f"reverse:http://{LOCAL}:1@127.0.0.1:{port}"
    clients = [asyncio.create_task(asked(port, "/v1/models")) for _ in range(10)]
    async with held(trust, file, "--mode", mode) as started:
        await connected(started, len(clients))
        file.write_text("It fails.")
        assert await asyncio.to_thread(started.wait) == 1
        for client in await asyncio.gather(*clients, return_exceptions=True):
            assert client == b"" or isinstance(client, ConnectionResetError)
    assert "Traceback" not in started.output


async def test_no_client_makes_a_start_fail(trust: Trust, tmp_path: Path) -> None:
    """A request whose host can't be reached, TLS of all kinds, noise: nothing is looked at before the start is over."""
    port, file = free_port(), tmp_path / "go on"
    wild = [b"\x16\x03\x01\x00\x05hello", b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", b"\x00" * 100, b"GET", b""]
    async with held(trust, file, "--mode", f"regular@127.0.0.1:{port}") as started:
        await asyncio.to_thread(started.wait_for, "The start is held")
        writers = []
        for data in wild:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writers.append(writer)
        await connected(started, len(wild))
        writers[-1].close()
        file.touch()
        await asyncio.to_thread(started.wait_for, "client disconnect")
        started.terminate()
        assert await asyncio.to_thread(started.wait) == 0
        for writer in writers:
            writer.close()
