"""The sources of options in their order, against a simple model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.config import sources
from hunyuan_fix.config.config_file import ConfigError, Line
from hunyuan_fix.config.sources import Layers
from hunyuan_fix.options import OPTIONS

NAMES = [f"hunyuan_{name}" for name in ("mode", "retry", "language", "redact")]
DEFAULTS = {option.name: option.default for option in OPTIONS if option.name in NAMES}
source = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["a", "b", "c"]))
contents = st.lists(source, max_size=3)


def layers(command_line: Mapping[str, str], variables: Mapping[str, str], own: Mapping[str, str]) -> Layers:
    return Layers(
        DEFAULTS,
        sources.from_command_line(command_line),
        sources.from_environment(variables),
        mitmproxy_config=sources.from_mitmproxy_config(own),
    )


def files(contents: list[Mapping[str, str]]) -> sources.Source:
    return sources.from_files(
        (Path(f"/{at}.yaml"), {name: Line(value, at) for name, value in lines.items()})
        for at, lines in enumerate(contents)
    )


@given(source, source, source, contents, contents)
def test_the_strongest_source_counts_before_and_after_a_change(command_line, variables, own, before, after):
    def model(contents):
        merged = {**DEFAULTS, **own}
        for lines in contents:
            merged.update(lines)
        return {**merged, **variables, **command_line}

    start = replace(layers(command_line, variables, own), files=files(before))
    assert {name: start.given(name).value for name in DEFAULTS} == model(before)
    # What a change applies, laid over what counted, is what a start with the new files would give.
    assert {**model(before), **start.changed(files(after))} == model(after)
    assert not start.changed(files(after)).keys() & (command_line.keys() | variables.keys())


@given(source, source, source, contents)
def test_what_has_no_effect_is_what_a_stronger_source_sets(command_line, variables, own, contents):
    start = replace(layers(command_line, variables, own), files=files(contents))
    said = {name for lines in contents for name in lines}
    assert start.without_effect().keys() == said & (command_line.keys() | variables.keys())


@pytest.mark.parametrize(
    ("problem", "located"),
    [
        ("hunyuan_mode=x: accepted is y", "HUNYUAN_MODE=x: accepted is y"),
        ("hunyuan_retry=x: accepted is y", "/1.yaml: line 1: hunyuan_retry=x: accepted is y"),
        ("hunyuan_language: accepted is y", "hunyuan_language: accepted is y"),
        ("hunyuan_redact=x: z", "config.yaml: hunyuan_redact=x: z"),
        ("the listener is open: hunyuan_mode", "the listener is open: hunyuan_mode"),
    ],
)
def test_a_problem_names_the_place_of_its_option(problem: str, located: str):
    given = layers({"hunyuan_language": "x"}, {"hunyuan_mode": "x"}, {"hunyuan_redact": "x"})
    given = replace(given, files=files([{}, {"hunyuan_retry": "x", "hunyuan_mode": "z"}]))
    assert given.located(problem) == located


def test_at_the_start_all_problems_are_found():
    def read(path: Path) -> Mapping[str, Line]:
        if path.name == "bad.yaml":
            raise ConfigError("line 3: not valid")
        return {"hunyuan_retry": Line("all", 7)}

    start = sources.at_start(
        OPTIONS, {}, {"HUNYUAN_CONFIG": "/good.yaml,/bad.yaml", "HUNYUAN_REDACT": "1", "HUNYUAN_X": "1"}, {}, read
    )
    assert start.problems == [
        "HUNYUAN_REDACT=1: accepted are true and false",
        "HUNYUAN_CONFIG: /bad.yaml: line 3: not valid",
    ]
    assert len(start.notes) == 1
    assert start.layers.given("hunyuan_retry").where == "/good.yaml:7"
