"""What the options are about: a table of docs/options.md for each subject, and a part of the page's settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Subject:
    """Some options. `title`: language -> a few words; `fields`: of `Settings`, in their order."""

    title: Mapping[str, str]
    fields: Sequence[str]


@cache
def subjects() -> Mapping[str, Subject]:
    """All subjects by name, in their order. Each option is in one."""
    text = resources.files(__package__).joinpath("subjects.toml").read_text(encoding="utf-8")
    return {
        name: Subject({language: words for language, words in table.items() if language != "options"}, table["options"])
        for name, table in tomllib.loads(text).items()
    }
