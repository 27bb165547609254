"""The help that the doors in `scripts/` print before there is an environment: NAME.txt, NAME.zh.txt beside this file.

`python -m scripts.lib.help` writes the files anew from what each command itself answers to `--help`; a test compares
them. `environment.sh` prints them, so that `--help` needs no Python and makes nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
COLUMNS = "120"
_NO_HOME = "/home/nobody"  # a default below the home folder is shown with ~: whoever reads it has another home

_CLI = ("hunyuan_fix.cli.main", "--scripts")

COMMANDS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "admin": [*_CLI, "admin"],
        "bench": ["scripts.lib.bench"],
        "config": [*_CLI, "config"],
        "demo": [*_CLI, "demo"],
        "describe": [*_CLI, "describe"],
        "doctor": [*_CLI, "doctor"],
        "env": [*_CLI, "env"],
        "lint": [*_CLI, "lint"],
        "mcp": [*_CLI, "mcp"],
        "record": [*_CLI, "record"],
        "release": ["scripts.lib.release"],
        "replay": [*_CLI, "replay"],
        "run": [*_CLI, "run"],
        "scale": ["scripts.lib.scale"],
        "screenshots": ["scripts.lib.screenshots"],
        "soak": ["scripts.lib.soak"],
        "token": [*_CLI, "token"],
        "token-add": [*_CLI, "token", "add"],
        "token-list": [*_CLI, "token", "list"],
        "token-remove": [*_CLI, "token", "remove"],
        "usage": [*_CLI, "usage"],
    }
)
"""By the name of the file: the module, and the words before `--help`. `test` is no module; its file is the source."""


LANGUAGES = ("en", "zh")


def files() -> Iterator[tuple[str, str]]:
    """The name and the language of each file but `test`'s: scripts for those who work on this project speak English."""
    for name, words in COMMANDS.items():
        yield from ((name, language) for language in (LANGUAGES if words[0] == _CLI[0] else LANGUAGES[:1]))


def made(name: str, language: str = "en") -> str:
    """What the command itself says to `--help`. Raises `CalledProcessError` where it fails."""
    command = [sys.executable, "-P", "-m", *COMMANDS[name], "--help"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HUNYUAN_", "XDG_"))}
    environment |= {
        "HUNYUAN_LANGUAGE": language,
        "HOME": _NO_HOME,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": COLUMNS,
        "PYTHONIOENCODING": "utf-8",
    }
    said = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", check=True
    )
    return said.stdout.replace(_NO_HOME, "~")


def file_of(name: str, language: str = "en") -> Path:
    """Its file."""
    return FOLDER / (f"{name}.txt" if language == "en" else f"{name}.{language}.txt")


def kept(name: str, language: str = "en") -> str:
    """What stands in its file."""
    return file_of(name, language).read_text("utf-8")


def words(text: str) -> list[str]:
    """A help text without what differs between Python versions: where lines break, how an option's value is shown."""
    return re.sub(r"(-\w) [A-Z_]+, (--)", r"\1, \2", " ".join(text.split())).split()
