"""Every command in the `sh` blocks of the pages for users, run as it stands there.

The commands of a page run in its order, as in one shell, in a clean home. A proxy that they start keeps running until
the next one or the end of the page. In place of the endpoint is the simulator, in place of the usual ports are free
ones, and `scripts/NAME` has this Python in place of the clone's environment (tests/end_to_end/test_environment.py
has that). The pages of docs/clients are run by tests/clients/test_guides.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mitmproxy.options import Options
from mitmproxy.tools import cmdline

from hunyuan_fix.cli import launch
from hunyuan_fix.cli.main import COMMANDS
from scripts.lib.processes import free_port
from tests.cli.shell_environment import environment
from tests.end_to_end.processes import KEY, ROOT, Certificates, Simulator, process, run_simulator
from tests.looped import each

PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    if not page.name.endswith(".zh-CN.md")  # tests/test_docs.py: their blocks are those of the English page
)
NOT_RUN_HERE = {
    ("README.md", "pipx install ."): "it takes packages from the index: tests/end_to_end/test_uvx_and_pipx.py",
    ("docs/options.md", ""): "with the files of the page, by tests/end_to_end/test_options_page.py",
    ("docs/admin.md", "curl -N"): "it has no end: tests/end_to_end/test_admin.py",
    ("docs/operations.md", "curl --no-buffer"): "it has no end: tests/end_to_end/test_admin.py",
    ("docs/operations.md", "docker"): "it takes an image from the network",
    ("docs/operations.md", "kubectl"): "there is no cluster: tests/deploy/test_running.py starts what the files say",
    ("docs/operations.md", "sudo"): "it changes the machine: tests/deploy/test_running.py starts what the files say",
    ("docs/operations.md", "openssl rand -hex 32 | sudo"): "as sudo: tests/deploy/test_running.py",
    ("docs/operations.md", "cd deploy/compose"): "its commands are docker's: tests/deploy/test_running.py",
    ("docs/operations.md", "openssl rand -hex 32 > secrets/"): "as docker: tests/deploy/test_running.py",
    ("docs/operations.md", "openssl rand -hex 16 > secrets/"): "as docker: tests/deploy/test_running.py",
    ("docs/operations.md", "cat >"): "it waits for a key to be pasted",
    ("docs/operations.md", "hunyuan-fix run --set hunyuan_traces"): "tests/observe/traces/test_export.py",
    ("docs/operations.md", "jq"): "its log is that of another proxy: tests/observe/test_log_file.py",
    ("docs/usage.md", "hunyuan-fix usage"): "it needs calls that were made: tests/end_to_end/test_ledger.py",
    ("docs/rd-agent.md", "hunyuan-fix run"): "with the files of the page, by tests/clients/test_rd_agent.py",
    ("docs/replay.md", "hunyuan-fix record"): "it runs an agent: tests/clients/test_replay.py",
    ("docs/replay.md", "hunyuan-fix replay"): "it runs an agent: tests/clients/test_replay.py",
    ("docs/mcp.md", "pipx install"): "it takes packages from the index: tests/cli/mcp has the extra in the suite's own",
    ("docs/certificates.md", "keytool"): "it changes the roots of the machine's Java: tried by hand only",
}
"""(page, beginning of a command) -> why, and where it is run instead."""
NEEDED = {
    "docs/connecting.md": ("scripts/run", 'eval "$(scripts/env)"'),
    "docs/admin.md": ("scripts/run",),
    "docs/operations.md": ("scripts/run",),
}
"""Pages whose commands need a proxy that another page has started: what starts it, and what leads there."""
PROXY = re.compile(r"(?:\w+=\S+ )*(?:scripts/run|hunyuan-fix run)\b(?!.* -- )")
SIMULATOR = ".venv/bin/python -m hunyuan_fix.simulator"
SETTING = re.compile(r"(?:export|unset|eval)\b")
PROMISED = re.compile(r"`(x-hunyuan-fix: [\w,]+)`")
DOORS = [path.name for path in sorted((ROOT / "scripts").iterdir()) if path.name in COMMANDS]


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """The commands of a page in their order: a line, or several where a quote or a backslash goes on."""
    found = []
    for block in blocks(text):
        command = ""
        for line in block.splitlines(keepends=True):
            command += line
            if not command.endswith("\\\n") and command.count("'") % 2 == 0:
                found.append(command.rstrip("\n"))
                command = ""
        assert not command, f"a quote is open at the end of {block!r}"
    return [command for command in found if command.strip() and not command.startswith("#")]


def elsewhere(page: str, command: str) -> str | None:
    """Where a command is run instead of here."""
    reasons = (why for (of, start), why in NOT_RUN_HERE.items() if of == page and command.startswith(start))
    return next(reasons, None)


@dataclass
class Shell:
    """A shell in a new home, in a folder that has the `scripts/` of a clone; `said` is what its commands printed."""

    folder: Path
    variables: dict[str, str]
    replaced: dict[str, str]
    said: str = ""
    settings: list[str] = field(default_factory=list)

    def script(self, command: str) -> str:
        """`command` with what a reader would put into it, after the settings of the commands before."""
        text = "\n".join([*self.settings, command])
        for found, put in self.replaced.items():
            text = text.replace(found, put)
        return text

    def run(self, command: str) -> None:
        """Run it to its end; AssertionError if it fails."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", self.script(command)],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        self.said += done.stdout
        if SETTING.match(command):
            self.settings.append(command)

    def proxy(self, command: str) -> list[str]:
        """The command line that starts it as a proxy, to be ended by a signal."""
        return ["bash", "-ec", f"cd {shlex.quote(str(self.folder))}\n{self.script(f'exec env {command}')}"]


@pytest.fixture(scope="module")
def endpoints(certificates: Certificates) -> Iterator[dict[str, Simulator]]:
    with ExitStack() as running:
        yield {
            profile: running.enter_context(run_simulator(certificates, profile=profile))
            for profile in ("tokenhub", "moonshot")
        }


@pytest.fixture
def shell(tmp_path: Path, endpoints: dict[str, Simulator], certificates: Certificates) -> Shell:
    home, folder = tmp_path / "home", tmp_path / "clone"
    (folder / "scripts").mkdir(parents=True)
    (folder / "examples").symlink_to(ROOT / "examples")
    (home / "bin").mkdir(parents=True)
    for name in DOORS:
        text = (ROOT / "scripts" / name).read_text("utf-8")
        there, count = re.subn(r"(?m)^\. .*environment\.sh\"$", f"PYTHON={shlex.quote(sys.executable)}", text)
        assert count == 1, name
        (folder / "scripts" / name).write_text(there, "utf-8")
        (folder / "scripts" / name).chmod(0o755)
    (folder / "keys.toml").write_text('[providers.moonshot]\nenv = "MOONSHOT_API_KEY"\n', "utf-8")
    (folder / "keys.toml").chmod(0o600)
    agent = home / "bin/claude"
    agent.write_text('#!/bin/sh\nprintf "claude calls %s\\n" "$ANTHROPIC_BASE_URL"\n', "utf-8")
    agent.chmod(0o755)
    port, reverse_port, admin_port, simulator_port = (free_port() for _ in range(4))
    variables = environment(
        home,
        PATH=f"{home / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        XDG_DATA_HOME=str(home / ".local/share"),
        LC_ALL="C.UTF-8",
        HUNYUAN_UPSTREAM=endpoints["tokenhub"].base_url,
        HUNYUAN_PROFILE="tokenhub",
        HUNYUAN_FIX_PORT=str(port),
        HUNYUAN_FIX_REVERSE_PORT=str(reverse_port),
        HUNYUAN_ADMIN=f"127.0.0.1:{admin_port}",
    )
    (home / ".mitmproxy").mkdir()
    for file in certificates.confdir.iterdir():
        shutil.copy(file, home / ".mitmproxy")
    return Shell(
        folder,
        variables,
        {
            "127.0.0.1:4000": f"127.0.0.1:{reverse_port}",
            "127.0.0.1:8080": f"127.0.0.1:{port}",
            "127.0.0.1:9464": f"127.0.0.1:{admin_port}",
            "0.0.0.0:9464": f"0.0.0.0:{admin_port}",
            "HOST:9464": f"127.0.0.1:{admin_port}",
            "IP-ADDRESS:9464": f"127.0.0.1:{admin_port}",
            SIMULATOR: f"{shlex.quote(sys.executable)} -m hunyuan_fix.simulator",
            "127.0.0.1:9999": f"127.0.0.1:{simulator_port}",
            "--port 9999": f"--port {simulator_port}",
            # A host names its profile; the simulator's has none.
            "https://api.moonshot.cn/v1": f"{endpoints['moonshot'].base_url} --profile moonshot",
            "/path/to/company-ca.pem": str(certificates.authority_file),
            "sk-...": KEY,
            "…": KEY,
        },
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(read(page)) and not elsewhere(page, "")])
def test_the_commands_of_a_page_work(page: str, shell: Shell) -> None:
    there = [command for command in commands(read(page)) if not elsewhere(page, command)]
    if needed := NEEDED.get(page):
        there = [f"export HUNYUAN_API_KEY={KEY}", *needed, *there]
    with ExitStack() as simulators, ExitStack() as running:
        for command in there:
            program = shlex.split(command)[0]
            if program in ("certutil", "openssl") and not shutil.which(program):
                continue
            if PROXY.match(command):
                running.close()  # as Ctrl-C: the next takes the same ports
                started = running.enter_context(process(command, shell.proxy(command), shell.variables))
                started.wait_for("Stop: Ctrl-C")  # the banner comes last, after several workers too
            elif command.startswith(SIMULATOR):
                of_page = process(command, shell.proxy(command), shell.variables)
                simulators.enter_context(of_page).wait_for("simulator listening")
            else:
                shell.run(command)
    for promised in PROMISED.findall(read(page)):
        assert promised in shell.said
    if "scripts/run -- claude" in there:
        assert f"claude calls http://127.0.0.1:{shell.variables['HUNYUAN_FIX_REVERSE_PORT']}\n" in shell.said


@each("page", PAGES)
def test_a_shells_blocks_are_of_sh(page: str) -> None:
    """What is called otherwise would not be run."""
    assert not re.search(r"^```(?:bash|shell|console|zsh|powershell)?\n\$?(?:scripts/|hunyuan-fix )", read(page), re.M)


def test_what_is_not_run_here_is_there_and_run_where_it_says() -> None:
    for (page, start), why in NOT_RUN_HERE.items():
        assert any(command.startswith(start) for command in commands(read(page))), (page, start)
        for test in re.findall(r"tests/\S+\.py", why):
            assert (ROOT / test).is_file()


INLINE = sorted(
    {
        (page.relative_to(ROOT).as_posix(), command)
        for page in (*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/clients/*.md"))
        for command in re.findall(r"(?<!`)`((?:scripts/|hunyuan-fix )[^`\n]+)`(?!`)", page.read_text("utf-8"))
    }
)


@each(("page", "command"), INLINE)
def test_a_command_in_a_sentence_has_flags_that_are_there(page: str, command: str) -> None:
    name, *arguments = shlex.split(command.removeprefix("scripts/").removeprefix("hunyuan-fix "))
    if name == "run":
        parser = cmdline.mitmweb(Options())
        parser.allow_abbrev = False
        _, unknown = parser.parse_known_args(launch.parse(arguments, "scripts/").arguments)
        assert launch.refused(unknown, ()) == []
    elif name == "COMMAND" or name == "--version" or "." in name or "/" in name:
        assert not arguments  # any command, the program itself, a file of the repository
    else:
        text = (ROOT / f"scripts/lib/help/{name}.txt").read_text("utf-8")
        if arguments and name == "token":
            assert re.search(rf"\b{arguments[0]}\b", text)
        flags = [word for word in arguments if word.startswith("--" if name == "test" else "-")]  # -n 0 is pytest's
        assert [flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", text)] == []
