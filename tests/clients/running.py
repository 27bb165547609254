"""Carrying out a client's guide: its files in a home of its own, its commands, its proof."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template

from hunyuan_fix.cli.addresses import REVERSE_PORT
from scripts.lib.processes import free_port
from tests import client_guides
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Proxy

PROMPTS = (
    "Create proof.txt with the word done in it.",
    "What is the secret word? Ask the tool and end with it.",
)
"""What the guides ask a model; the simulator is told instead which tool to call."""

OLD_MODELS = {"hy3-preview": "hunyuan-2.0-instruct-20251111", "hy3": "hunyuan-2.0-instruct-20251111"}
"""The guides' models, and what the old platform has in their place."""

TIMEOUT = 80.0
"""Seconds that a guide's commands get; the slowest needs a tenth of it on an idle machine."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Client:
    """A guide that can be carried out, and the tool call with which its task is done."""

    guide: str
    tool: str = "secret_word"
    arguments: Mapping[str, object] = field(default_factory=dict)
    """`$work` in a value is the folder that the client works in."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Beside the guide's own, by path in the home folder."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What keeps it from calling anything but the model, and lets it run as root."""
    program: tuple[str, str] | None = None
    """A command that its package does not install, and the file that it is, below the folder of the clients."""
    refusals: Mapping[str, int] = field(default_factory=lambda: {LEGACY: 400})
    """Host of an endpoint -> the status with which it refuses the client without the addon."""
    replaced: Mapping[str, str] = field(default_factory=dict)
    """What stands in the guide, and what is put in its place: another endpoint, another model."""
    work_files: Mapping[str, str] = field(default_factory=dict)
    """Files in the folder that it works in, by name."""

    def directive(self, work: Path) -> str:
        """What takes the place of the prompt: text that makes the simulator call the tool, silently as models do.

        Without a blank: opencode puts an argument with blanks into quotes and escapes the ones inside.
        """
        arguments = Template(json.dumps(self.arguments, separators=(",", ":"))).substitute(work=work)
        return f"[[sim:say]][[sim:tool\n{self.tool}\n{arguments}]]"

    def on_the_old_platform(self) -> Client:
        """The same client, which is given the address and a model of the old platform."""
        return replace(self, replaced={TOKENHUB: LEGACY, **OLD_MODELS})


@dataclass(frozen=True, slots=True)
class Door:
    """A way into a proxy: what a client is given, the key too, and the port of the reverse proxy."""

    variables: Mapping[str, str]
    reverse_port: int

    @classmethod
    def of(cls, proxy: Proxy) -> Door:
        """What `scripts/env` sets for `proxy`, and a key."""
        node = {"NODE_EXTRA_CA_CERTS": str(proxy.certificates.proxy_ca), "NODE_USE_ENV_PROXY": "1"}
        return cls({**proxy.environment, **node, "HUNYUAN_API_KEY": KEY}, proxy.reverse_port)


@dataclass(frozen=True, slots=True)
class Run:
    """A proof that ended: the exit code of its last command and everything that was printed."""

    code: int
    output: str


def carry_out(client: Client, proxy: Proxy, folder: Path) -> Run:
    """Run the commands of the client's guide in `folder` behind `proxy`; a directive takes the place of the prompt.

    AssertionError if they don't end.
    """
    return carry_out_at(Door.of(proxy), client, folder, client.directive(folder / "work"))


def carry_out_at(door: Door, client: Client, folder: Path, directive: str | None = None) -> Run:
    """Run the commands of the client's guide in `folder`, with the guide's own prompt if there is no `directive`.

    AssertionError if they don't end.
    """
    guide = client_guides.read(client.guide)
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
    (work / "node_modules").symlink_to(clients / "node_modules")

    def here(text: str, quoted: Callable[[str], str]) -> str:
        text = _elsewhere(text, client.replaced)
        if directive is not None:
            text = _asking(text, quoted(directive))
        return text.replace(f"127.0.0.1:{REVERSE_PORT}", f"127.0.0.1:{door.reverse_port}")

    more = {f"~/{name}": text for name, text in client.files.items()} | dict(client.work_files)
    for name, text in (guide.files | more).items():
        path = home / name[2:] if name.startswith("~/") else work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(here(text, json.dumps), encoding="utf-8")
    environment = {**_environment(home, clients), **door.variables, **client.environment}
    if client.program:
        command, file = client.program
        (folder / "bin").mkdir()
        (folder / "bin" / command).symlink_to(next(clients.glob(file)))
        environment["PATH"] = f"{folder}/bin:{environment['PATH']}"
    try:
        return _bash(here(guide.script, shlex.quote), work, environment)
    finally:
        _end_all_of(home)


def _asking(text: str, directive: str) -> str:
    """`text` with the directive, quoted as its language wants it, in place of the quoted prompt."""
    for prompt in PROMPTS:
        text = text.replace(f'"{prompt}"', directive)
    return text


def _elsewhere(text: str, replaced: Mapping[str, str]) -> str:
    """`text` with what is put in the place of words of the guide."""
    for words, others in replaced.items():
        text = text.replace(words, others)
    return text


def _environment(home: Path, clients: Path) -> dict[str, str]:
    """Nothing of ours: no other proxy, no settings, no credentials."""
    return {
        "HOME": str(home),
        "PATH": f"{clients}/node_modules/.bin:{clients}/python/bin:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "CLINE_HUB_PORT": str(free_port()),  # not the hub of whoever works here
    }


def _bash(script: str, work: Path, environment: Mapping[str, str]) -> Run:
    """Run it to its end, or for `TIMEOUT`; output goes to a file, which no daemon can hold open."""
    printed = work.parent / "output"
    with printed.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {TIMEOUT:.0f} s:\n{_text(printed)}") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return Run(code, _text(printed))


def _text(printed: Path) -> str:
    """What is in the file, without colours and carriage returns."""
    return _ANSI.sub("", printed.read_text(encoding="utf-8", errors="replace")).replace("\r", "")


def _end_all_of(home: Path) -> None:
    """End what left its process group, as Cline's hub does: on Linux, every process that was given this home."""
    given = b"HOME=%b\0" % os.fsencode(home)
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # somebody else's, or gone
            if given in environ.read_bytes():
                os.kill(int(environ.parent.name), signal.SIGKILL)
