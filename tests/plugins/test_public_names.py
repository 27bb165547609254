"""What a plug-in may rely on is a list: docs/plugins.md has it, and nothing leaves it unnoticed."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix import plugins
from hunyuan_fix.plugins.interface import Step

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("plugins.md", "plugins.zh-CN.md")

STABLE = {
    "Change": "rule pointer why",
    "Check": "name look",
    "Event": "kind id at data",
    "Exchange": "chat note notes note_of warn profile dialect spoken base_url model session session_named client "
    "program caller streamed mode headers method path size usage tokens vision_calls fails_closed",
    "Finding": "state message",
    "JsonObject": "",
    "Outcome": "how status text",
    "Plugin": "name steps rules sinks checks alerts profiles patience about",
    "Response": "status headers body",
    "Rule": "name repairs why apply after needed",
    "RuleContext": "profile model texts plan keep_params session",
    "Sink": "name kinds hear",
    "Step": "name about before after houses request answer chunk done",
    "degraded": "message",
    "events": "CAME TRANSLATED DESCRIBED REPAIRED RUNAWAY BUDGET QUEUED SENT RETRIED MENDED CALLED ENDED FIRST_BYTE "
    "FIRST_TOKEN DONE KINDS Done",
    "healthy": "message",
    "unhealthy": "message",
}
"""Name -> the members, or the parameters, on which plug-ins rely. To take one away breaks them: it needs a new major
version and a line in CHANGELOG.md."""


def members(thing: Any) -> set[str]:
    if inspect.isfunction(thing):
        return set(inspect.signature(thing).parameters)
    fields = {field.name for field in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
    return fields | {name for name in dir(thing) if not name.startswith("_")}


def test_the_list_is_what_is_there() -> None:
    assert set(STABLE) == set(plugins.__all__)
    for name, relied_on in STABLE.items():
        assert set(relied_on.split()) <= members(getattr(plugins, name)), name


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_have_the_list(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    table = text[text.index("<!-- stable names -->") : text.index("<!-- end of stable names -->")]
    rows = {
        found[1]: set(re.findall(r"`(\w+)`", found[2]))
        for found in re.finditer(r"^\| `(\w+)` \| (.*) \|$", table, re.M)
    }
    assert rows == {name: set(relied_on.split()) for name, relied_on in STABLE.items()}


def test_the_signatures_of_a_step_are_as_they_were() -> None:
    signatures = {
        name: list(inspect.signature(getattr(Step, name)).parameters) for name in ("request", "answer", "chunk", "done")
    }
    assert signatures == {
        "request": ["self", "exchange"],
        "answer": ["self", "exchange", "answer"],
        "chunk": ["self", "exchange", "chunk"],
        "done": ["self", "exchange", "outcome"],
    }
    assert next(iter(inspect.signature(plugins.Plugin).parameters)) == "name"
