"""Each file of examples/ does what it says. `tests/end_to_end/test_plugins.py` runs all of them in a real mitmdump."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hunyuan_fix import options, profiles, rules
from hunyuan_fix.events import DONE, Event
from hunyuan_fix.observe.alerts.engine import Engine
from hunyuan_fix.observe.health import State
from hunyuan_fix.options import Settings
from hunyuan_fix.plugins import Plugin
from hunyuan_fix.route import Address, Routes
from tests.plugins.plugged import Ran
from tests.rule_context import context
from tests.strategies import bodies

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EVERY = ",".join(map(str, EXAMPLES))


def parsed(text: str = EVERY) -> Settings:
    return options.parse({"hunyuan_plugins": text})


@pytest.fixture(autouse=True)
def _without_plugins_again() -> Iterator[None]:
    yield
    options.parse({})


def example(name: str) -> Plugin:
    (loaded,) = parsed(str(ROOT / f"examples/{name}.py")).plugins.loaded
    return loaded.plugin


def test_all_go_together() -> None:
    made = parsed().plugins
    assert made.broken == ()
    assert made.names == [path.stem.replace("_", "-") for path in EXAMPLES]
    kinds = {kind for one in made.loaded for kind, names in one.parts() if names}
    assert kinds == {"steps", "rules", "sinks", "checks", "alerts", "profiles"}


async def test_the_step_names_the_house_style_once() -> None:
    ran = Ran(example("house_style"))
    await ran.request("hi")
    system, first = ran.exchange.chat["messages"]
    assert (system["role"], system["content"]) == ("system", "Comments in code are in English.")
    assert first["content"] == "hi"
    assert ran.exchange.rules == ["house-style"]
    again = Ran(example("house_style"))
    again.exchange.chat = {"model": "hy3", "messages": [dict(system), dict(first)]}
    await again.pipeline.request(again.exchange)
    assert (again.exchange.chat["messages"], again.exchange.rules) == ([system, first], [])
    beside = Ran(example("house_style"))
    beside.exchange.chat = {"model": "hy3", "messages": [{"role": "system", "content": "Be brief."}, dict(first)]}
    await beside.pipeline.request(beside.exchange)
    assert beside.exchange.chat["messages"][0]["content"] == "Be brief.\n\nComments in code are in English."


@given(bodies)
def test_the_step_takes_whatever_comes(body: Any) -> None:

    ran = Ran(example("house_style"))
    ran.exchange.chat = body
    asyncio.run(ran.pipeline.request(ran.exchange))
    assert ran.counts == {}


@given(bodies)
def test_the_rule_squeezes_blank_lines_and_nothing_else(body: Any) -> None:
    """What the other rules make of a result, such as text of the user's, is the same but for the blank lines."""
    for message in body["messages"]:
        if isinstance(message, dict) and message.get("role") == "tool" and isinstance(message.get("content"), str):
            message["content"] += "a\n\n\n\nb"
    plain = json.loads(json.dumps(body))
    given = context("tokenhub", "hy3")
    given.added = parsed(str(ROOT / "examples/blank_lines.py")).plugins.rules
    rules.apply_chat(body, given)
    rules.apply_chat(plain, context("tokenhub", "hy3"))
    assert given.failed == []
    for message in plain["messages"]:
        assert (
            message.get("role") != "tool"
            or "\n\n\n" not in body["messages"][plain["messages"].index(message)]["content"]
        )
    squeezed = [re.sub(r"(\\n){3,}", r"\\n\\n", json.dumps(each)) for each in (body, plain)]
    assert squeezed[0] == squeezed[1]


def test_the_sink_writes_a_line_for_what_was_used(tmp_path: Path) -> None:
    (sink,) = example("usage_log").sinks
    sink.file = tmp_path / "usage.jsonl"  # type: ignore[attr-defined]
    done = {
        "client": "ann",
        "profile": "tokenhub",
        "model": "hy3",
        "sent_model": "",
        "status": 200,
        "usage": {"input": 3},
    }
    sink.hear(Event(DONE, "1", 1.5, done | {"path": "/v1"}))
    sink.hear(Event(DONE, "2", 2.5, done | {"usage": {}}))
    (line,) = (tmp_path / "usage.jsonl").read_text().splitlines()
    assert json.loads(line) == {"at": 1.5, **done}


async def test_the_check_looks_at_the_age_of_its_file(tmp_path: Path) -> None:
    (check,) = example("file_age").checks
    aged = check.look.__self__  # type: ignore[attr-defined]
    aged.file = tmp_path / "backup"
    assert (await check.look()).state is State.DEGRADED
    aged.file.write_text("x")
    assert (await check.look()).state is State.HEALTHY
    old = time.time() - 27 * 3600
    os.utime(aged.file, (old, old))
    found = await check.look()
    assert (found.state, "27 hours old" in found.message) == (State.DEGRADED, True)


def test_the_alert_begins_and_ends() -> None:
    alert = parsed(str(ROOT / "examples/refused_alert.py")).plugins.alerts["refused"]
    engine = Engine([alert])
    counts = {"2xx": 0.0, "4xx": 0.0}
    fired = []
    for now in range(0, 3600, 60):
        samples = {frozenset({("status", status)}): count for status, count in counts.items()}
        fired += [(change.firing, now) for change in engine.look(now, {"hunyuan_exchanges_total": samples})]
        counts["4xx" if 600 <= now < 1200 else "2xx"] += 10
    assert [firing for firing, _ in fired] == [True, False]


def test_the_alert_can_be_named_in_the_option() -> None:
    where = str(ROOT / "examples/refused_alert.py")
    settings = options.parse({"hunyuan_plugins": where, "hunyuan_alerts": "off,refused=0.5"})
    assert {name: limits.threshold for name, limits in settings.alerts.items()} == {"refused": 0.5}


def test_the_provider_is_known_while_the_plug_in_is() -> None:
    settings = parsed(str(ROOT / "examples/own_provider.py"))
    assert "company" in profiles.names()
    route = Routes(settings).route("POST", Address("https", "llm.company.example", 443, "/v1/chat/completions"))
    assert route is not None
    assert route.profile == "company"
    assert options.parse({"hunyuan_plugins": settings.plugins.text, "hunyuan_profile": "company"})
    options.parse({})
    assert "company" not in profiles.names()


def test_the_users_folder_is_laid_over_a_plug_ins(tmp_path: Path) -> None:
    (tmp_path / "company.toml").write_text('text_model = "mine"\n', "utf-8")
    text = str(ROOT / "examples/own_provider.py")
    options.parse({"hunyuan_plugins": text, "hunyuan_profiles": str(tmp_path)})
    assert profiles.load("company").text_model == "mine"
    assert profiles.load("company").hosts == ("llm.company.example",)


def test_each_names_how_it_is_used() -> None:
    for path in EXAMPLES:
        text = path.read_text("utf-8")
        assert f"hunyuan_plugins=examples/{path.name}" in text
        assert not [
            line for line in text.splitlines() if "hunyuan_fix" in line and "import" in line and "plugins" not in line
        ]


@pytest.mark.parametrize(
    ("system", "tag"),
    [("You WRITE CODE for experiments.", "coding"), ("You give feedback.", "feedback"), ("You cook.", ""), (None, "")],
)
async def test_the_stage_of_a_pipeline_is_its_tag(system: str | None, tag: str) -> None:
    ran = Ran(example("tag_by_stage"))
    said = [{"role": "system", "content": system}] if system else []
    ran.exchange.chat = {"model": "hy3", "messages": [*said, {"role": "user", "content": "write code"}]}
    assert await ran.pipeline.request(ran.exchange) is None
    assert ran.exchange.tag == tag
    assert "tag-by-stage" not in ran.exchange.rules
    ran.exchange.tag = "own"
    await ran.pipeline.request(ran.exchange)
    assert ran.exchange.tag == "own"
