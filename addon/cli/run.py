"""Start mitmdump (or mitmweb) with the addon on loopback, and say what to set in a client: `hunyuan-fix run`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from ..config import operating_system
from ..hooks import authority
from ..observe.admin.settings import OFF, Address
from ..observe.admin.settings import PORT as ADMIN_PORT
from ..texts import LANGUAGES, terminal
from ..texts.terminal import say
from . import kimi, mitmproxy_api, state
from .addresses import HOST, PORT, PORT_TAKEN, REVERSE_PORT, WEB_PORT, next_free, port_is_free, to_listen_on
from .client_setup import write_bundle
from .launch import Launch, given_language, parse, refused
from .started import Started


def main(arguments: Sequence[str], prefix: str) -> int:
    """Check the ports and the options, make the CA and its bundle, and become mitmproxy; say how to use it when it is
    ready. Whatever is wrong is said last and alone, and nothing else is.
    """
    if (language := given_language(arguments)) in LANGUAGES:
        terminal.use(language)
    launch = parse(arguments, prefix)
    if launch.agent is not None:
        from .agents.session import run_agent  # noqa: PLC0415 - it starts this command again, without an agent

        return run_agent(launch, launch.agent)
    if (call := launch.worker) is not None:
        from .worker import Worker  # noqa: PLC0415 - a process is a worker or none

        launch = replace(launch, admin=_admin(launch))
        return _become_mitmproxy(launch, Worker(launch, call, _about_key(launch)), [])
    chosen = {"--port", "--reverse-port"} <= launch.chosen
    turn = state.turn_to_start() if not chosen else None
    try:
        launch, moved = with_free_ports(launch)
    except socket.gaierror:
        sys.exit(say("{host} is not an address to listen on.", host=launch.host))
    except OSError as error:
        sys.exit(f"{prefix}run: {error}")
    if launch.workers is not None:
        from .several import run_workers  # noqa: PLC0415 - as above

        return run_workers(launch, arguments, moved, turn)
    started = Started(launch, _about_key(launch), sys.stdout, turn) if launch.until_eof is None else None
    try:
        return _become_mitmproxy(launch, started, moved)
    finally:
        if started is not None:
            started.ended()
        if launch.until_eof:
            shutil.rmtree(launch.until_eof, ignore_errors=True)


def _about_key(launch: Launch) -> str:
    return "" if launch.kimi is None else kimi.take_key(os.environ)


def _become_mitmproxy(launch: Launch, served: mitmproxy_api.Served | None, first: Sequence[str]) -> int:
    """Run mitmproxy until it ends. `first`: lines for the user before all others."""
    confdir = launch.confdir
    roots = launch.option("ssl_verify_upstream_trusted_ca")
    key_size = launch.option("key_size") or ""
    program = f"{launch.prefix}run"

    def prepare(parser: argparse.ArgumentParser) -> None:
        # 1. One line for each option that doesn't exist. mitmproxy itself would accept abbreviations.
        parser.prog, parser.allow_abbrev = program, False
        _, unknown = parser.parse_known_args(launch.command())
        if problems := refused(unknown, parser._option_string_actions):
            print("\n".join(f"{program}: {problem}" for problem in problems), file=sys.stderr)
            sys.exit(2)
        # 2. The command line is valid: make the CA and its bundle.
        try:
            write_bundle(
                confdir,
                Path(roots).expanduser() if roots else None,
                key_size=int(key_size) if key_size.isdecimal() else authority.KEY_SIZE,
            )
        except (OSError, ValueError) as error:
            sys.exit(
                say(
                    "{program}: the proxy's CA can't be made or read in {folder}: {why}. For another folder: {flag}",
                    program=program,
                    folder=confdir,
                    why=getattr(error, "strerror", None) or error,
                    flag="--set confdir=FOLDER",
                )
            )
        # 3. Say which ports are others, or watch for the end of the agent that this proxy belongs to.
        for line in first:
            print(line, file=sys.stderr, flush=True)
        if launch.until_eof is not None:
            threading.Thread(target=_end_at_eof, daemon=True).start()

    operating_system.hang_up_as_terminated()
    with redirect_stdout(sys.stderr if launch.json else sys.stdout):
        mitmproxy_api.run_tool(
            "mitmweb" if launch.web else "mitmdump",
            launch.command(),
            prepare,
            defaults=launch.defaults,
            served=served,
        )
    return 0


def with_free_ports(launch: Launch) -> tuple[Launch, list[str]]:
    """`launch` with free ports in place of default ones that are taken, and a line for the user about each.

    Its host is then the address of what the user has named.

    The search goes up from the default port: a second start, and its restart, find the same. Exits for a taken port
    that the user has chosen. Raises `socket.gaierror` if the host is not an address, `OSError` where none is free.
    """
    launch = replace(launch, host=to_listen_on(launch.host))
    fixed = [("--port", launch.port), ("--reverse-port", launch.reverse_port)]
    for flag, port in fixed if launch.kimi is None else fixed[1:]:
        if flag in launch.chosen and not port_is_free(port, launch.host):
            line = say(
                "Port {port} on {host} is taken. Stop what listens there, or use another port: {flag} PORT",
                port=port,
                host=launch.host,
                flag=flag if launch.kimi is None else "PROXY_PORT",
            )
            print(line, file=sys.stderr)
            sys.exit(1 if launch.until_eof is None else PORT_TAKEN)
    lines, used = [], {WEB_PORT, *(port for flag, port in fixed if flag in launch.chosen)}
    found = dict(fixed)
    for flag, first in (("--port", PORT), ("--reverse-port", REVERSE_PORT)):
        if flag not in launch.chosen:
            found[flag] = next_free(first, launch.host, used)
            used.add(found[flag])
            if found[flag] != first:
                lines.append(_moved(first, found[flag]))
    launch = replace(launch, port=found["--port"], reverse_port=found["--reverse-port"])
    if launch.web and not _names_web_port(launch) and not port_is_free(WEB_PORT, HOST):
        web_port = next_free(WEB_PORT, HOST, used)
        lines.append(_moved(WEB_PORT, web_port))
        used.add(web_port)
        launch = replace(launch, arguments=("--web-port", str(web_port), *launch.arguments))
    return replace(launch, admin=_admin(launch)), lines


def _admin(launch: Launch) -> str:
    """Where the admin server listens if nobody says so: on the first free port. An agent's own proxy has none."""
    return OFF if launch.until_eof is not None else str(Address(HOST, ADMIN_PORT, or_next=True))


def _moved(first: int, port: int) -> str:
    by = next((one for one in state.running() if first in (one.port, one.reverse_port)), None)
    if by is None:
        return say("Port {first} is taken, so this proxy uses {port}.", first=first, port=port)
    to = by.upstream or say("the address that the client chose")
    return say(
        "A hunyuan-fix runs on port {first} already (process {pid}, to {upstream}); this one uses {port}.",
        first=first,
        pid=by.pid,
        upstream=to,
        port=port,
    )


def _names_web_port(launch: Launch) -> bool:
    given = any(word.partition("=")[0] == "--web-port" for word in launch.arguments)
    return given or launch.option("web_port") is not None


def _end_at_eof() -> None:
    """End this process when standard input is closed, as with SIGTERM: what started it has ended, or wants that."""
    # Not sys.stdin.buffer: this thread would hold its lock when the process ends otherwise, and CPython aborts then
    # with "_enter_buffered_busy: could not acquire lock".
    while os.read(sys.stdin.fileno(), 4096):
        pass
    signal.raise_signal(signal.SIGTERM)
