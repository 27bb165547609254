"""The first whole code block of a language in a text of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

_ALIASES: Final = (
    ("python", "py", "python3", "python2", "ipython", "pycon"),
    ("javascript", "js", "node", "mjs", "cjs", "jsx"),
    ("typescript", "ts", "tsx"),
    ("bash", "sh", "shell", "zsh", "console"),
    ("c++", "cpp", "cxx", "cc", "hpp"),
    ("c#", "csharp", "cs"),
    ("go", "golang"),
    ("rust", "rs"),
    ("ruby", "rb"),
    ("yaml", "yml"),
    ("json", "json5", "jsonc"),
    ("markdown", "md"),
    ("html", "htm", "xhtml"),
    ("kotlin", "kt", "kts"),
    ("perl", "pl"),
    ("powershell", "ps1", "pwsh"),
    ("dockerfile", "docker"),
    ("makefile", "make"),
    ("sql", "mysql", "postgresql", "sqlite", "postgres"),
    ("latex", "tex"),
    ("r", "rlang", "rscript"),
    ("diff", "patch"),
    ("text", "txt", "plain", "plaintext"),
)
"""The names by which models call the languages of their code blocks."""
_NAMES: Final = {name: frozenset(names) for names in _ALIASES for name in names}

_FENCE: Final = re.compile(r"^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[ \t]*(?P<tag>[^\s`{]*)[^\n`]*$", re.MULTILINE)
"""A line that opens a block, or closes one where it has no tag (CommonMark, section 4.5)."""

type NoBlock = Literal["no-block", "unclosed-block"]


@dataclass(frozen=True, slots=True)
class NoBlockFound:
    """There is no such block."""

    why: NoBlock


def names_of(language: str) -> frozenset[str]:
    """The names of `language`, in lower case."""
    return _NAMES.get(language.lower(), frozenset([language.lower()]))


def first_block(text: str, language: str) -> str | NoBlockFound:
    """What stands in the first whole block of `language`, without its last line break, or why there is none."""
    names, place = names_of(language), 0
    while opening := _FENCE.search(text, place):
        wanted = opening["tag"].lower() in names
        begin = min(len(text), opening.end() + 1)
        closing = _closing(text, begin, opening["fence"])
        if closing is None:
            return NoBlockFound("unclosed-block" if wanted else "no-block")
        if wanted:
            return text[begin : max(begin, closing.start() - 1)].removesuffix("\r")
        place = closing.end()
    return NoBlockFound("no-block")


def _closing(text: str, begin: int, fence: str) -> re.Match[str] | None:
    """The line that closes a block: of as many marks as opened it, or more, and nothing else."""
    for line in _FENCE.finditer(text, begin):
        if line["fence"].startswith(fence) and not line[0].strip(" \t\r" + fence[0]):
            return line
    return None
