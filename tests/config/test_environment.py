"""Options from the environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hunyuan_fix.config import environment
from hunyuan_fix.options import OPTIONS
from tests.looped import each

ROOT = Path(__file__).parents[2]


def read(**variables: str) -> environment.Environment:
    return environment.read(variables, OPTIONS)


@each("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_has_a_variable(option):
    value = str(not option.default) if option.type is bool else "some text"
    said = read(**{option.name.upper(): value})
    assert said.values == {option.name: not option.default if option.type is bool else value}
    assert said.problems == said.notes == []


def test_an_empty_variable_gives_nothing():
    """A compose file with `HUNYUAN_MODE: ${MODE:-}` sets it so."""
    assert read(HUNYUAN_MODE="", HUNYUAN_REDACT=" ", HUNYUAN_UNKNOWN="") == environment.Environment(
        notes=["Not known to hunyuan-fix, and without effect on it: HUNYUAN_UNKNOWN."]
    )


@pytest.mark.parametrize("text", ["0", "yes", "on", "maybe"])
def test_a_switch_is_true_or_false(text: str):
    assert read(HUNYUAN_REDACT=text).problems == [f"HUNYUAN_REDACT={text}: accepted are true and false"]
    assert read(HUNYUAN_REDACT="FALSE ").values == {"hunyuan_redact": False}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HUNYUAN_MDOE", "HUNYUAN_MODE"),
        ("HUNYUAN_UPSTRAEM", "HUNYUAN_UPSTREAM"),
        ("HUNYUAN_MODEL", "HUNYUAN_MODELS"),
        ("hunyuan_mode", "HUNYUAN_MODE"),
        ("Hunyuan_Upstream", "HUNYUAN_UPSTREAM"),
        ("HUNYUAN_FIX_MODE", "HUNYUAN_MODE"),
        ("HUNYUAN_APIKEY", "HUNYUAN_API_KEY"),
        ("HUNYUAN_FIX_PROT", "HUNYUAN_FIX_PORT"),
    ],
)
def test_a_misspelt_name_is_named_without_its_value(name: str, meant: str):
    said = read(**{name: "sk-secret"})
    assert said.notes == [f"{name} has no effect; did you mean {meant}?"]
    assert said.values == {}


def test_variables_of_other_programs_are_named_in_one_line():
    said = read(HUNYUAN_SECRET_ID="sk-a", HUNYUAN_BASE_URL="sk-b", HUNYUAN_ENDPOINT="sk-c")
    assert said.notes == [
        "Not known to hunyuan-fix, and without effect on it: HUNYUAN_BASE_URL, HUNYUAN_ENDPOINT, HUNYUAN_SECRET_ID."
    ]
    assert read(HTTPS_PROXY="x", HUNYUANMODE="x", PATH="x") == environment.Environment()


def test_our_own_variables_that_are_no_options_pass_in_silence():
    assert read(**dict.fromkeys(environment.OTHERS, "x")) == environment.Environment()
    assert read(HUNYUAN_FIX_TEST_REDIRECTS="{}") == environment.Environment()


def test_a_key_at_hand_wins_over_the_file_of_one():
    assert read(HUNYUAN_API_KEY_FILE="/key").values == {"hunyuan_api_key_file": "/key"}
    assert read(HUNYUAN_API_KEY_FILE="/key", HUNYUAN_API_KEY="").values == {"hunyuan_api_key_file": "/key"}
    assert read(HUNYUAN_API_KEY_FILE="/key", HUNYUAN_API_KEY="sk-x").values == {}


def test_every_variable_that_the_code_reads_is_known():
    files = [path for room in ("addon", "scripts") for path in (ROOT / room).rglob("*") if path.is_file()]
    texts = [path.read_text("utf-8") for path in files if path.suffix in (".py", ".sh", ".toml", "")]
    named = {name for text in texts for name in re.findall(r"\bHUNYUAN_[A-Z][A-Z_]*[A-Z]\b", text)}
    known = {*environment.OTHERS, *(environment.variable(option.name) for option in OPTIONS)}
    tests_own = {"HUNYUAN_FIX", "HUNYUAN_FIX_TEST_REDIRECTS"}  # the pictures are taken with the tests' redirects
    assert named - known - tests_own == set()
