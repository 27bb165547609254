"""What `hunyuan-fix run` prints when the proxy serves clients: where it is, how to use it, how to stop it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..hooks import authority
from ..texts.terminal import say
from .addresses import CONFDIR, HOST, PORT
from .launch import Launch
from .shells import SHELLS, detected
from .state import local_url


def instructions(launch: Launch, upstream: str, version: str, admin: str = "") -> str:
    """The lines for a user whose proxy sends calls to `upstream`; `""`: to the address that the client chose.

    `admin`: the address of the admin server, or a link that signs in there; `""`: there is none.
    """
    about_admin = [say("In a browser, what goes on:  {admin}", admin=_page(admin))] if admin else []
    if launch.kimi is not None:
        return "\n".join(["", *_in_place_of_kimis(launch, upstream), *_for_others(launch), *about_admin, ""])
    if upstream:
        head = say("hunyuan-fix {version}. Calls go to {upstream}", version=version, upstream=upstream)
    else:
        head = say("hunyuan-fix {version}. Calls go to the address that the client chose.", version=version)
    url = local_url(launch.host, launch.reverse_port)
    by_proxy = _activation(launch)
    lines = [
        "",
        head,
        say("1. Base URL for clients:  {url}/v1    (Anthropic's API, as for Claude Code: {url})", url=url),
        say("2. Or keep the client's base URL and start it from a shell after:  {command}", command=by_proxy),
        say(
            "3. Stop: Ctrl-C.    Apps that need the CA in the system's store: {ca}",
            ca=authority.ca_file(launch.confdir),
        ),
        *_for_others(launch),
        *about_admin,
    ]
    return "\n".join(lines)


def _page(admin: str) -> str:
    return admin if "?" in admin else f"{admin}/"


def _activation(launch: Launch) -> str:
    """The line that sets the variables for clients, in the syntax of the user's shell."""
    command = f"{launch.prefix}env"
    if launch.port != PORT:
        command += f" --port {launch.port}"
    shell = detected(os.environ) or "sh"
    if launch.confdir != Path(CONFDIR).expanduser().absolute():
        command += f" --confdir {SHELLS[shell].quoted(str(launch.confdir))}"
    if shell == "powershell":  # a Windows that says no more
        cmd = SHELLS["cmd"].activation(f"{command} --shell cmd")
        return say("in PowerShell {line}, in cmd {other}", line=SHELLS["powershell"].activation(command), other=cmd)
    return SHELLS[shell].activation(command)


def _in_place_of_kimis(launch: Launch, upstream: str) -> Iterator[str]:
    url = local_url(launch.host, launch.reverse_port)
    yield say("In place of the Kimi Thinking Proxy. Calls go on to {upstream}.", upstream=upstream)
    yield say("  Anthropic's API:  base URL {url}     (POST /v1/messages, key in x-api-key)", url=url)
    yield say("  OpenAI's API:     base URL {url}/v1  (POST /v1/chat/completions, key in Authorization)", url=url)
    yield "  GET /v1/models, GET /health"
    yield say("Stop: Ctrl-C")


def _for_others(launch: Launch) -> Iterator[str]:
    if launch.host != HOST:
        yield say(
            "Other machines (it listens on {host}): base URL http://ADDRESS-OF-THIS-MACHINE:{port}/v1, "
            "with a client token as the API key ({command})",
            host=launch.host,
            port=launch.reverse_port,
            command=f"{launch.prefix}token add NAME",
        )
