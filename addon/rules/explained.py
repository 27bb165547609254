"""What each rule is for, in words: for people who ask (`hunyuan.explain`, `scripts/lint`). Data beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a rule repairs, and why: the document, or what was seen."""

    repairs: str
    why: str


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every name that a change can have -> its explanation, in the order in which rules run."""
    text = resources.files(__package__).joinpath("explained.toml").read_text(encoding="utf-8")
    return {rule: Explanation(**given) for rule, given in tomllib.loads(text).items()}
