"""One file of options: what it may say."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hunyuan_fix.config import config_file
from hunyuan_fix.config.config_file import ConfigError
from hunyuan_fix.options import OPTIONS

DEFAULTS = {option.name: option.default for option in OPTIONS}
SECRET = "sk-0123456789abcdef"


def said(text: str) -> dict[str, str | bool]:
    return {name: line.value for name, line in config_file.read(text, DEFAULTS).items()}


def test_values_are_taken_as_they_are_written():
    assert said(
        """\
# a comment
hunyuan_mode: off
retry: all
hunyuan_vision_timeout: 1.50
retry_tries: 3
max_body: 20m
hosts: [localhost, 127.0.0.1=hunyuan]
keep_params:
  - user
  - 10
upstream:
text_model: ~
language: "zh"
redact: false
intercept_all: "true"
vision_model: 2024-99-99
"""
    ) == {
        "hunyuan_mode": "off",
        "hunyuan_retry": "all",
        "hunyuan_vision_timeout": "1.50",
        "hunyuan_retry_tries": "3",
        "hunyuan_max_body": "20m",
        "hunyuan_hosts": "localhost,127.0.0.1=hunyuan",
        "hunyuan_keep_params": "user,10",
        "hunyuan_upstream": "",
        "hunyuan_text_model": "",
        "hunyuan_language": "zh",
        "hunyuan_redact": False,
        "hunyuan_intercept_all": True,
        "hunyuan_vision_model": "2024-99-99",
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "\ufeff# nothing yet\n", "---\n", "{}"])
def test_a_file_may_say_nothing(text: str, tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert config_file.read_file(file, DEFAULTS) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mode: off\nretry: [", "line 2: not valid YAML: expected the node content"),
        ("mode: off\n\tretry: all", "line 2: not valid YAML: found character '\\t' that cannot start any token"),
        ("retry: all: vision", "line 1: not valid YAML: mapping values are not allowed here"),
        ("mode: [off\n", "line 2: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("retry: *other", "line 1: not valid YAML: found undefined alias …"),
        ("mode: off\n---\nmode: repair", "line 2: not valid YAML: but found another document"),
        ("mode: \x00", "not valid YAML"),
        ("[" * 1000, "not valid YAML"),
        ("- retry: all", "line 1: accepted are lines such as retry: all"),
        ("retry", "line 1: accepted are lines such as retry: all"),
        ("mode: off\nretyr: all", "line 2: retyr: there is no such option; did you mean hunyuan_retry?"),
        ("hunyuan_retyr: all", "line 1: hunyuan_retyr: there is no such option; did you mean hunyuan_retry?"),
        ("mode: off\n\nhunyuan_mode: repair", "line 3: hunyuan_mode: given twice"),
        ("listen_port: 80", "line 1: listen_port: there is no such option"),
        ("config: other.yaml", "line 1: hunyuan_config: can't be set in a file that it names"),
        ("hunyuan_config: other.yaml", "line 1: hunyuan_config: can't be set in a file that it names"),
        ("redact: yes", "line 1: hunyuan_redact: accepted are true and false"),
        ("redact: [true, false]", "line 1: hunyuan_redact: accepted are"),
        ("redact:", "line 1: hunyuan_redact: accepted are true and false"),
        ("hosts: {localhost: hunyuan}", "line 1: hunyuan_hosts: accepted are text, a number"),
        ("hosts: [[localhost]]", "line 1: hunyuan_hosts: accepted are text, a number"),
        ("retry: !vault abc", "line 1: hunyuan_retry: accepted are text, a number"),
        ("retry: !!python/name:os.system", "line 1: hunyuan_retry: accepted are text, a number"),
        ("[retry]: all", "line 1: accepted are names of options"),
        ("<<: {retry: all}", "line 1: accepted are names of options"),
    ],
)
def test_what_can_not_be_taken_is_refused_with_the_line(text: str, why: str):
    with pytest.raises(ConfigError) as raised:
        said(text)
    assert str(raised.value).startswith(why)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        f"api_key: {SECRET}",
        f"HUNYUAN_API_KEY: {SECRET}",
        f"retry: all\nretry: {SECRET}",
        f"{SECRET}: x",
        f"{SECRET}",
        f"- {SECRET}",
        f"retry: '{SECRET}",
        f"retry: *{SECRET}",
        f"retry: !{SECRET} x",
        f"retry: {{a: {SECRET}}}",
        f"redact: {SECRET}",
    ],
)
def test_no_secret_is_repeated(text: str):
    with pytest.raises(ConfigError) as raised:
        said(text)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("name", ["api_key", "hunyuan_api_key", "redis_password", "client_token", "tc3_secret"])
def test_where_a_key_belongs_is_said(name: str):
    with pytest.raises(ConfigError, match="HUNYUAN_API_KEY"):
        said(f"{name}: x")


def test_a_file_that_can_not_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        config_file.read_file(tmp_path / "none", DEFAULTS)
    with pytest.raises(ConfigError, match="can't be read"):
        config_file.read_file(tmp_path, DEFAULTS)
    (tmp_path / "large").write_bytes(b"#" * (1 << 16) + b"\n")
    with pytest.raises(ConfigError, match="is larger than 64 kB"):
        config_file.read_file(tmp_path / "large", DEFAULTS)
    (tmp_path / "latin").write_bytes(b"mode: \xe9")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        config_file.read_file(tmp_path / "latin", DEFAULTS)


@given(st.text())
def test_any_text_is_read_or_refused(text: str):
    with contextlib.suppress(ConfigError):
        assert said(text).keys() <= DEFAULTS.keys()


settings = st.fixed_dictionaries(
    {},
    optional={
        option.name: st.booleans() if isinstance(option.default, bool) else st.integers() | st.sampled_from("abc")
        for option in OPTIONS
        if option.name != config_file.NAME
    },
)


@given(settings, st.booleans())
def test_what_any_yaml_writer_writes_is_read(values: dict[str, Any], prefixed: bool):
    written = io.StringIO()
    names = {name if prefixed else name.removeprefix("hunyuan_"): value for name, value in values.items()}
    YAML().dump(names, written)
    expected = {name: value if isinstance(value, bool) else str(value) for name, value in values.items()}
    assert said(written.getvalue()) == expected


# JSON


@pytest.mark.parametrize("is_json", [True, False])
def test_json_is_read_whatever_its_file_is_called(is_json: bool):
    text = '{\n\t"mode": "off",\n\t"hosts": ["a", "b"], "redact":false,\n\t"vision_timeout": 1.50, "upstream": null\n}'
    lines = config_file.read(text, DEFAULTS, is_json=is_json)
    assert lines == {
        "hunyuan_mode": ("off", 2),
        "hunyuan_hosts": ("a,b", 3),
        "hunyuan_redact": (False, 3),
        "hunyuan_vision_timeout": ("1.50", 4),
        "hunyuan_upstream": ("", 4),
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"mode": "off",}', "line 1: not valid JSON: "),
        ('{\n"mode": "off"\n"retry": "all"}', "line 3: not valid JSON: Expecting ',' delimiter"),
        ("mode: off", "line 1: not valid JSON: "),
        ("[" * 100_000, "not valid JSON: it is nested too deeply"),
        ('{"mode": "off",\n\t"hunyuan_mode": "off"}', "line 2: hunyuan_mode: given twice"),
        ('{"mode": "off", "mode": "off"}', "line 1: hunyuan_mode: given twice"),
        ('{"mode": {"a": 1}}', "line 1: hunyuan_mode: accepted are text, a number"),
        ('{"redact": 1}', "line 1: hunyuan_redact: accepted are true and false"),
        ('{"vision_model": "\\ud83d"}', "line 1: hunyuan_vision_model: accepted are text"),
        ('["mode"]', "line 1: accepted are lines such as retry: all"),
    ],
)
def test_json_that_can_not_be_taken_is_refused_with_the_line(text: str, why: str):
    with pytest.raises(ConfigError) as raised:
        config_file.read(text, DEFAULTS, is_json=True)
    assert str(raised.value).startswith(why)


@pytest.mark.parametrize("text", ["", " \n", "{}", "null"])
def test_json_may_say_nothing(text: str):
    assert config_file.read(text, DEFAULTS, is_json=True) == {}


@given(
    settings | st.dictionaries(st.just("hunyuan_models"), st.text()), st.sampled_from([None, 2, "\t"]), st.booleans()
)
def test_what_any_json_writer_writes_is_read(values: dict[str, Any], indent: Any, ascii: bool):
    written = json.dumps(values, indent=indent, ensure_ascii=ascii)
    expected = {name: value if isinstance(value, bool) else str(value).strip() for name, value in values.items()}
    lines = config_file.read(written, DEFAULTS, is_json=True)
    assert {name: line.value for name, line in lines.items()} == expected


@pytest.mark.parametrize("name", ["HUNYUAN_RETRY", "Retry", "hunyuan-retry", "RETRY"])
def test_a_name_in_another_spelling_leads_to_the_option(name: str):
    with pytest.raises(ConfigError, match=f"^line 1: {name}: there is no such option; did you mean hunyuan_retry"):
        config_file.read(f"{name}: all", DEFAULTS)


@pytest.mark.parametrize("bracket", "[{")
def test_deep_nesting_is_refused_before_it_is_parsed(bracket: str, monkeypatch: pytest.MonkeyPatch):
    """The parser would take an hour for a whole file of it."""
    monkeypatch.setattr(config_file, "_parsed", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(ConfigError, match="nested too deeply"):
        config_file.read(bracket * 60_000, DEFAULTS)


def test_a_parsers_warning_does_not_quote_the_file(recwarn: pytest.WarningsRecorder):
    with pytest.raises(ConfigError):
        config_file.read("a: &x sk-secret\nb: &x sk-secret\n", DEFAULTS)
    assert not recwarn.list


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_a_pipe_is_refused_at_once(tmp_path: Path):
    """To open it would wait for a writer."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match=r"^is a pipe"):
        config_file.read_file(pipe, DEFAULTS)


# mitmproxy's own


def test_mitmproxys_own_file(tmp_path: Path):
    file = tmp_path / "config.yaml"
    assert config_file.read_mitmproxy_config(file) == {}
    file.write_text("web_port: 1\nhunyuan_mode: off\nhunyuan_hosts: [a, b]\n")
    assert config_file.read_mitmproxy_config(file) == {"hunyuan_mode": ("off", 2), "hunyuan_hosts": (["a", "b"], 3)}
    for text in ("mode: [", "a: 1\na: 2"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="not valid YAML"):
            config_file.read_mitmproxy_config(file)
    file.write_bytes(b"mode: \xe9")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        config_file.read_mitmproxy_config(file)
