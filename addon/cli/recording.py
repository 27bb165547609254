"""What `hunyuan-fix record` and `hunyuan-fix replay` share: an agent, a proxy of its own, and a file."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ..recording.recordings import REPORT, Report
from ..texts import LANGUAGES, terminal
from ..texts.terminal import say
from .agents.session import run_agent
from .agents.table import of_command
from .arguments import Parser
from .launch import AgentCall, Launch, divided, given_language, parse

MODEL, FOR = "--model", "--for"
OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hunyuan_profile": "--profile",
        "hunyuan_language": "--language",
        "hunyuan_hosts": "",
        "hunyuan_translate": "",
        "hunyuan_window": "",
        "hunyuan_model_map": "",
        "hunyuan_models": "",
        "hunyuan_text_model": "",
        "hunyuan_successors": "",
    }
)
"""Options that have a say in what is asked, each with its flag: those that are given to `record` are written down, and
count in a replay. No others, whatever a file says: it may be a stranger's."""
ANSWER_CACHE, RECORDING = "hunyuan_answer_cache", "hunyuan_recording"


@dataclass(frozen=True, slots=True)
class Given:
    """What a command line says."""

    file: Path
    overwrite: bool
    options: list[str]
    """Those of `run`."""
    words: list[str]
    """The agent's command line."""

    def gives(self, flag: str) -> bool:
        """Whether an option of `run` is among them: `--model x`, `--model=x`."""
        return any(word.partition("=")[0] == flag for word in self.options)


def read(arguments: Sequence[str], parser: Parser) -> Given:
    """Read a command line. Exits with a usage error, and after `--help`."""
    if (language := given_language(arguments)) in LANGUAGES:
        terminal.use(language)
    own, separator, words = divided(arguments)
    overwrites = "--overwrite" in parser.options
    options = [word for word in own if not (overwrites and word == "--overwrite")]
    if not options or options[0].startswith("-"):
        parser.parse_args([word for word in own if word in ("-h", "--help")])
        parser.error(say("the file stands first: FILE -- AGENT"))
    if not separator or not words:
        parser.error(say("which agent? Give its command after --"))
    return Given(Path(options[0]).expanduser().absolute(), len(options) < len(own), options[1:], list(words))


def run(given: Given, what: str, prefix: str, key: str | None = None) -> tuple[int, Report | None, Launch]:
    """Run the agent under `hunyuan_answer_cache=WHAT`. `key`: the agent's, if it isn't the user's.

    Returns its exit status, what was recorded or replayed, `None` if its proxy never ran, and how it was started.
    """
    settings = [f"{ANSWER_CACHE}={what}", f"{RECORDING}={given.file}"]
    options = [*given.options, *(word for setting in settings for word in ("--set", setting))]
    launch = parse([*options, "--", *given.words], prefix, what)
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-", ignore_cleanup_errors=True) as folder:
        report = Path(folder) / "report.json"
        status = run_agent(launch, launch.agent or AgentCall(()), key=key, environment={REPORT: str(report)})
        try:
            told: Mapping[str, Any] = json.loads(report.read_text("utf-8"))
        except (OSError, ValueError):
            return status, None, launch
        return status, Report(**told), launch


def tell(launch: Launch, text: str) -> None:
    """Tell the user something after the agent has ended."""
    print(f"{launch.prefix}{launch.command_name}: {text}", file=sys.stderr, flush=True)


def named_agent(given: Given, launch: Launch) -> str:
    """The name of the agent that the command is, or that the user says it is; `""`: none that is known."""
    if launch.agent is not None and launch.agent.name:
        return launch.agent.name
    agent = of_command(given.words[0])
    return agent.name if agent is not None else ""


def shown(path: Path) -> str:
    """A file as the user would name it on a command line: from here, if it is below this folder."""
    try:
        return shlex.quote(str(path.relative_to(Path.cwd())))
    except (ValueError, OSError):
        return shlex.quote(str(path))
