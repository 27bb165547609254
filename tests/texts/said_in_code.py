"""Which sentences the code says: what `texts/sentences` must have in other languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from hunyuan_fix.answers.json_repair import asked
from hunyuan_fix.cli import arguments, main
from hunyuan_fix.cli.demo.programme import PROGRAMMES
from hunyuan_fix.cli.doctor import base_urls, connections, live, report, situation
from hunyuan_fix.config import environment, values
from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.health import stores
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.rules.explained import explanations
from hunyuan_fix.stores import redis
from scripts.lib import metrics_page
from tests.texts import reasons_in_code, said_in_errors
from tests.texts.reasons_in_code import modules, name_of

ADDON = Path(__file__).resolve().parents[2] / "addon"


type Collector = Callable[[], Iterator[str]]

COLLECTORS: list[Collector] = []
"""Each gives the sentences of one kind: those in calls, and those of data such as a catalogue."""


def collector(function: Collector) -> Collector:
    """Add `function` to the collectors."""
    COLLECTORS.append(function)
    return function


@collector
def said_by_calls() -> Iterator[str]:
    """The template in each call of `say(template, …)` and `sentences.said(language, template, …)`.

    Raises `AssertionError` for one that is put together where it is said: nobody could look it up.
    """
    for module in modules():
        if module.path.is_relative_to(ADDON / "texts"):
            continue
        places = _PLACES if _SAY.search(module.text) else {"sentences.said": 1}
        for node in module.nodes:
            if not isinstance(node, ast.Call) or name_of(node.func) not in ("say", "said"):
                continue
            if (function := ast.unparse(node.func)) in places:
                yield from _templates(node.args[places[function]], f"{module.path.relative_to(ADDON)}:{node.lineno}")


_SAY = re.compile(r"^from (?:\.+|hunyuan_fix\.)(?:texts)?(?:\.terminal)? import .*\b(?:say|terminal)\b", re.MULTILINE)
_PLACES = {"say": 0, "terminal.say": 0, "sentences.said": 1}
"""Functions that say something, and which argument is the template."""


def _templates(node: ast.expr, place: str) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _templates(node.body, place)
        yield from _templates(node.orelse, place)
    else:
        # A template that stands elsewhere, as data does: its collector below has it.
        assert isinstance(node, ast.Name | ast.Attribute | ast.Subscript), f"{place}: a template is a plain text"


@collector
def said_by_argparse() -> Iterator[str]:
    """What argparse says in errors, which `cli/arguments.py` translates."""
    yield from arguments.ARGPARSES_OWN


@collector
def said_of_options() -> Iterator[str]:
    """The help of options, what they accept, and what the variables are for that are none."""
    yield from environment.OTHERS.values()
    for option in OPTIONS:
        yield option.help
        if re.search(r"[a-z]", re.sub(r"`[^`]*`", "", accepted := values.accepted_by(option.read))):
            yield re.sub(r"\bfrom \d+$", "from {minimum}", accepted)


@collector
def said_of_metrics() -> Iterator[str]:
    """What each metric counts."""
    yield from (metric.help for metric in metrics_page.metrics())


@collector
def summaries_of_commands() -> Iterator[str]:
    """What `hunyuan-fix --help` says of each command."""
    yield from (command.summary for command in main.COMMANDS.values())


@collector
def said_by_scenes() -> Iterator[str]:
    """Titles of the demo's scenes, and what they are about."""
    for scenes in PROGRAMMES.values():
        for scene in scenes:
            yield from (scene.title, scene.about)


@collector
def said_of_changes() -> Iterator[str]:
    """What each kind of change repairs, and why."""
    for explanation in explanations().values():
        yield from (explanation.repairs, explanation.why)


@collector
def said_by_sentences() -> Iterator[str]:
    """The template of each `Sentence(template, …)`: it is said in another language when it is shown."""
    for module in modules():
        if module.path.is_relative_to(ADDON / "texts"):
            continue
        for node in module.nodes:
            match node:
                case ast.Call(func=ast.Name(id="Sentence"), args=[template, *_]):
                    yield from _templates(template, f"{module.path.relative_to(ADDON)}:{node.lineno}")


@collector
def said_by_doctor() -> Iterator[str]:
    """The tables of `cli/doctor`: checks, results, verdicts, and what is wrong with a host."""
    yield from set(situation.CHECKS.values()) - situation.NAMES
    yield from report.RESULTS
    yield from live.COLOURS
    yield from live.why_sentences()
    yield from connections.kind_sentences()
    yield from connections.verdict_sentences()
    yield from base_urls.data_sentences()


@collector
def said_of_stores() -> Iterator[str]:
    """What the health of the SQLite file says of the reasons of its failures."""
    yield from stores.reason_sentences()
    yield from redis.said_of_servers()


@collector
def said_of_alerts() -> Iterator[str]:
    """What each alert says is the case, and what to do."""
    for alert in alerts.shipped().values():
        yield from (alert.summary, alert.action)


@collector
def said_of_json() -> Iterator[str]:
    """What was done to an answer that was to be JSON."""
    yield from asked.DONE.values()


@collector
def said_of_failures() -> Iterator[str]:
    """What has failed, in calls of `Runtime.failed(what, error)`."""
    for module in modules():
        for node in module.nodes:
            if not isinstance(node, ast.Call) or name_of(node.func) != "failed":
                continue
            if ast.unparse(node.func).endswith("untime.failed"):
                yield from _templates(node.args[0], f"{module.path.relative_to(ADDON)}:{node.lineno}")


collector(said_in_errors.said_by_errors)
collector(reasons_in_code.reasons)
collector(reasons_in_code.details_of_refusals)


@cache
def all_sentences() -> frozenset[str]:
    """Every English sentence that the program can say to a person."""
    return frozenset(sentence for collector in COLLECTORS for sentence in collector())
