"""What `--set` and config.yaml give, as mitmproxy itself keeps it for options that aren't declared yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from mitmproxy.options import Options
from mitmproxy.optmanager import load_paths

from hunyuan_fix.hooks.mitmproxy_internals import options


def given(folder: Path, config: str, *arguments: str) -> Options:
    """mitmproxy's options after it has read its command line and its file, in its own order."""
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    made = Options()
    made.set(*[word for word in arguments if word != "--set"], defer=True)
    load_paths(made, folder / "config.yaml")
    return made


def test_they_are_told_apart_and_taken(tmp_path: Path):
    made = given(tmp_path, "hunyuan_retry: all\nother: 1", "--set", "hunyuan_mode=off", "--set", "hunyuan_redact")
    command_line, config = options.take_given(made.deferred, [])
    assert command_line == {"hunyuan_mode": ["off"], "hunyuan_redact": []}
    assert config == {"hunyuan_retry": "all"}
    assert made.deferred == {"other": 1}


def test_a_set_that_config_yaml_has_overwritten_is_found_again(tmp_path: Path):
    arguments = ["--set", "hunyuan_mode=off", "--set", "hunyuan_mode=repair"]
    made = given(tmp_path, "hunyuan_mode: observe", *arguments)
    assert made.deferred == {"hunyuan_mode": "observe"}  # what mitmproxy would apply
    assert options.take_given(made.deferred, arguments) == (
        {"hunyuan_mode": ["off", "repair"]},
        {"hunyuan_mode": "observe"},
    )


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--set", "a=1"], {"a": ["1"]}),
        (["-v", "--set=a=1=2", "--set", "b"], {"a": ["1=2"], "b": []}),
        (["--set", "a=", "--set", "a=x"], {"a": ["", "x"]}),
        (["--sets", "a=1", "a=2", "--set"], {}),
    ],
)
def test_what_arguments_set(arguments: list[str], texts: dict[str, list[str]]):
    assert options.set_by(arguments) == texts
