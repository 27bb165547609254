"""The pages of docs/clients, read as what they are: files to write, commands to run, and what comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs/clients"
SECTIONS = ("Set", "Example", "Quirks", "Proof")

_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
_BLOCK = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the file that it is to be written to, if one is named."""

    language: str
    text: str
    file: str | None


@dataclass(frozen=True, slots=True)
class Guide:
    """A page: its name, its title, what was tried (the text before the first section), its sections in order."""

    name: str
    title: str
    tried: str
    sections: dict[str, str]

    def blocks(self, section: str) -> list[Block]:
        """The fenced blocks of a section, in order."""
        return _blocks(self.sections[section])

    @property
    def files(self) -> dict[str, str]:
        """The files of the example, by path; `~/` is the home folder."""
        return {block.file: block.text for block in self.blocks("Example") if block.file}

    @property
    def script(self) -> str:
        """The commands that prepare the client and then prove that it works."""
        blocks = [*self.blocks("Example"), *self.blocks("Proof")]
        return "".join(block.text for block in blocks if block.language == "sh")

    @property
    def printed(self) -> str:
        """What the proof ends with, when it works."""
        return self.blocks("Proof")[-1].text.rstrip()


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of any page, in order."""
    return _blocks(page.read_text(encoding="utf-8"))


def _blocks(text: str) -> list[Block]:
    return [Block(found["language"], found["text"], found["file"]) for found in _BLOCK.finditer(text)]


def read(name: str) -> Guide:
    """The guide `docs/clients/NAME.md`. Raises FileNotFoundError."""
    head, *rest = _SECTION.split((FOLDER / f"{name}.md").read_text(encoding="utf-8"))
    title, _, tried = head.partition("\n")
    return Guide(name, title, tried.strip(), dict(zip(rest[::2], rest[1::2], strict=True)))
