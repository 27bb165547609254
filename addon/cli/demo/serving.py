"""`hunyuan-fix demo --serve`: the simulator and a proxy before it, to try a client without a key, until Ctrl-C."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from ...observe.admin.settings import PORT as ADMIN_PORT
from ...simulator.__main__ import parse as simulator_settings
from ...simulator.server import serve_in_thread
from ...texts import sentences, terminal
from ...texts.terminal import say
from ..addresses import HOST, PORT, REVERSE_PORT, free_port, port_is_free
from ..client_setup import client_variables, write_bundle
from ..path import ADDON
from . import processes
from .platforms import PLATFORMS, Platform

KEY = "sk-demo"
"""Any key is good."""
_TRIES = 3
"""Starts of the proxy, if its ports are taken in between."""
_PAUSE = 0.2
"""Seconds between two looks at the proxy's log."""


def serve(platform: Platform) -> None:
    """Serve until the process is interrupted. Raises `processes.StartError` if the proxy doesn't start or ends."""
    simulator = serve_in_thread(simulator_settings(["--profile", platform.profile]))
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-demo-") as name, simulator as served:
        folder = Path(name)
        confdir = folder / "mitmproxy"
        confdir.mkdir()
        write_bundle(confdir)
        key_file = folder / "key"
        key_file.touch(0o600)
        key_file.write_text(KEY)  # for a client that has none, as by `run`
        options = [
            f"hunyuan_api_key_file={key_file}",
            f"hunyuan_upstream={served.url}/v1",
            f"hunyuan_hosts={HOST}={platform.profile}",
            "hunyuan_store=memory",
        ]
        addon = ["-s", str(ADDON), *(word for option in options for word in ("--set", option))]
        with ExitStack() as stack:
            proxy, admin = _started(stack, folder, addon)
            for line in _instructions(platform, proxy, admin, confdir):
                print(line, flush=True)
            _follow(proxy.process)


def _started(stack: ExitStack, folder: Path, addon: list[str]) -> tuple[processes.Mitmdump, int]:
    """The proxy and the port of its admin server, on the ports of `run` where they are free; `stack` ends it."""
    front, back, admin = (port if port_is_free(port) else free_port() for port in (PORT, REVERSE_PORT, ADMIN_PORT))
    origin = PLATFORMS["hunyuan"].base_url.removesuffix("/v1")  # so that retired models are mapped, as by `run`
    for tries_left in reversed(range(_TRIES)):
        try:
            given = [*addon, "--set", f"hunyuan_admin={HOST}:{admin}"]
            running = processes.mitmdump("mitmdump", folder, *given, reverse=origin, ports=(front, back))
            return stack.enter_context(running), admin
        except processes.StartError as error:
            # Another program has taken a port since it was looked for.
            if not tries_left or "address already in use" not in str(error).lower():
                raise
            front, back, admin = free_port(), free_port(), free_port()
    raise AssertionError("the last try returns or raises")


def _instructions(platform: Platform, proxy: processes.Mitmdump, admin: int, confdir: Path) -> list[str]:
    reverse = f"http://{HOST}:{proxy.reverse_port}"
    return [
        say(
            "A simulator plays {name}; no key, no network. It does what the proofs of docs/clients ask.",
            name=platform.name,
        ),
        "",
        say("Base URL for clients: {url} (Anthropic's: {origin})", url=f"{reverse}/v1", origin=reverse),
        say("Model: {model}; any key, such as {key}", model=platform.text_model, key=KEY),
        say("In a browser, what goes on:  {admin}", admin=f"http://{HOST}:{admin}/"),
        "",
        say("Or by the proxy, with a client's own base URL, in the shell that starts it:"),
        *(f"  export {name}={value}" for name, value in client_variables(proxy.port, confdir).items()),
        f"  export HUNYUAN_API_KEY={KEY}",
        "",
        say("Each request is listed here. Ctrl-C ends it."),
    ]


def _in_language(line: str) -> str:
    """A line of the proxy's log, which is in English, with the reason at its end in the terminal's language."""
    before, colon, reason = line.rpartition(": ")
    return f"{before}{colon}{sentences.translated(terminal.language(), reason)}" if colon else line


def _follow(process: processes.RunningProcess) -> None:
    """Print the proxy's line of each request as it comes. Raises `StartError` at the proxy's end."""
    shown = len(process.said())
    while process.popen.poll() is None:
        said = process.said()
        end = said.rfind("\n") + 1
        for line in said[shown:end].splitlines():
            if " -> " in line:
                print(_in_language(line))
        sys.stdout.flush()
        shown = max(shown, end)
        time.sleep(_PAUSE)
    raise processes.StartError(say("{name} has ended:\n{log}", name=process.name, log=process.said()))
