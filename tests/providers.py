"""Providers that only a test knows: a TOML file in a folder of its own, which is what plugs it in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from hunyuan_fix import profiles


def toml(*hosts: str, bases: Mapping[str, str] | None = None, **more: object) -> str:
    """TokenHub's profile under other `hosts`, with the keys `more` and without what it says of other formats."""
    text = profiles.FOLDERS[0].joinpath("tokenhub.toml").read_text(encoding="utf-8")
    replaced = "|".join(["base", "speaks", *more])
    text = re.sub(rf"^({replaced}) = .*\n", "", text, flags=re.MULTILINE)
    head = "\n".join([f"hosts = {json.dumps(hosts)}", *(f"{key} = {json.dumps(value)}" for key, value in more.items())])
    if bases is not None:
        head += f"\nbases = {{ {', '.join(f'{format_} = {json.dumps(path)}' for format_, path in bases.items())} }}"
    return re.sub(r"^hosts = \[.*?\]$", lambda _: head, text, count=1, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def add_provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Adds a provider: the name of its profile, and the text of its file."""
    monkeypatch.setattr(profiles, "FOLDERS", (*profiles.FOLDERS, tmp_path))

    def add(name: str, text: str) -> None:
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        forget()

    yield add
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Let the files be read anew."""
    profiles.forget()
