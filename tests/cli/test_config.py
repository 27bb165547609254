"""`hunyuan-fix config`: what counts, where it comes from, and what is wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from hunyuan_fix.options import OPTIONS
from tests.cli.shell_environment import environment, run
from tests.end_to_end.processes import ROOT


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".mitmproxy").mkdir()
    return tmp_path


def config(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run("config", *arguments, given=environment(home, LC_ALL="C.UTF-8", **variables))


def rows(said: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    words = [line.split() for line in said.stdout.splitlines() if line.startswith("hunyuan_")]
    return {name: (value, where) for name, value, where in words}


def test_where_each_value_comes_from(home: Path):
    (home / ".mitmproxy/config.yaml").write_text("hunyuan_mode: off\n\nhunyuan_vision_timeout: 70\nweb_port: 1\n")
    (home / "base.yaml").write_text("mode: off\nretry: all\nlanguage: zh\n")
    (home / "prod.json").write_text('{\n\t"language": "en",\n\t"redact": false\n}')
    given = {"HUNYUAN_CONFIG": "base.yaml,prod.json", "HUNYUAN_MODE": "observe"}
    said = config(home, "--set", "hunyuan_window=1000", **given)
    assert (said.returncode, said.stderr) == (0, "")
    assert rows(said) == {
        "hunyuan_config": ("base.yaml,prod.json", "HUNYUAN_CONFIG"),
        "hunyuan_mode": ("observe", "HUNYUAN_MODE"),
        "hunyuan_retry": ("all", f"{home}/base.yaml:2"),
        "hunyuan_language": ("en", f"{home}/prod.json:2"),
        "hunyuan_redact": ("false", f"{home}/prod.json:3"),
        "hunyuan_vision_timeout": ("70", f"{home}/.mitmproxy/config.yaml:3"),
        "hunyuan_window": ("1000", "--set"),
    }
    assert f"{home}/base.yaml:1: hunyuan_mode has no effect here: HUNYUAN_MODE wins." in said.stdout


def test_all_shows_the_defaults_too(home: Path):
    assert "No option is given" in config(home).stdout
    shown = rows(config(home, "--all"))
    assert list(shown) == [option.name for option in OPTIONS]
    assert shown["hunyuan_mode"] == ("repair", "default")
    assert shown["hunyuan_upstream"] == ("–", "default")


def test_the_rows_of_the_model_map(home: Path):
    rows_of_it = [{"when": {"tag": "a*"}, "model": "hy3"}, {"when": {"tag": "ab"}, "model": "hy3"}]
    file = home / "models.json"
    file.write_text(json.dumps({"model_map": rows_of_it}))
    said = config(home, "--config", "models.json")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[-3:] == [
        "hunyuan_model_map: 1 (tag a*) → model hy3",
        "hunyuan_model_map: 2 (tag ab) → model hy3",
        "hunyuan_model_map: no request reaches row 2 (tag ab): row 1 (tag a*) takes all of them.",
    ]
    told = json.loads(config(home, "--config", "models.json", "--json").stdout)["options"]["hunyuan_model_map"]
    assert json.loads(told["value"]) == rows_of_it
    file.write_text(json.dumps({"model_map": [{"model": "hy3", "force": {"temperature": 9}}]}))
    wrong = config(home, "--check", "models.json")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(
        f"{home}/models.json: line 1: hunyuan_model_map: row 1: force.temperature: accepted is a number from 0 to 2"
    )


def test_what_if(home: Path):
    (home / "a,b.yaml").write_text("mode: off")
    said = config(home, "--config", "a,b.yaml", "--set", "hunyuan_intercept_all")
    assert rows(said) == {
        "hunyuan_config": ("a,,b.yaml", "--set"),
        "hunyuan_mode": ("off", f"{home}/a,b.yaml:1"),
        "hunyuan_intercept_all": ("true", "--set"),
    }


@pytest.mark.parametrize(
    ("arguments", "variables", "fault"),
    [
        (["--set", "hunyuan_mode=bogus"], {}, "hunyuan_mode=bogus: accepted are repair, observe, off"),
        (["--set", "hunyuan_mdoe=off"], {}, "hunyuan_mdoe: there is no such option; did you mean hunyuan_mode?"),
        ([], {"HUNYUAN_MODE": "bogus"}, "HUNYUAN_MODE=bogus: accepted are repair, observe, off"),
        ([], {"HUNYUAN_ALLOW_OPEN": "1"}, "HUNYUAN_ALLOW_OPEN=1: accepted are true and false"),
        ([], {"HUNYUAN_CONFIG": "none.yaml"}, "HUNYUAN_CONFIG: {home}/none.yaml: can't be read: No such file"),
        (["--config", "bad.yaml"], {}, "{home}/bad.yaml: line 2: hunyuan_retry=often: accepted are off, vision, all"),
        (["--config", "worse.yaml"], {}, "hunyuan_config: {home}/worse.yaml: line 2: hunyuan_mode: given twice"),
    ],
)
def test_a_fault_is_named_with_its_place(home: Path, arguments: list[str], variables: dict[str, str], fault: str):
    (home / "bad.yaml").write_text("mode: off\nretry: often")
    (home / "worse.yaml").write_text("mode: off\nhunyuan_mode: off")
    said = config(home, *arguments, **variables)
    assert said.returncode == 1
    (line,) = said.stderr.splitlines()
    assert line.startswith(fault.format(home=home))


def test_faults_of_mitmproxys_own_file_and_all_of_them(home: Path):
    own = home / ".mitmproxy/config.yaml"
    own.write_text("hunyuan_redact: maybe\nhunyuan_retry: often\n")
    said = config(home, HUNYUAN_MODE="bogus", HUNYUAN_MDOE="x")
    assert said.returncode == 1
    assert said.stderr.splitlines() == [
        "HUNYUAN_MDOE has no effect; did you mean HUNYUAN_MODE?",
        f"{own}: hunyuan_redact: accepted are true and false",
        "HUNYUAN_MODE=bogus: accepted are repair, observe, off",
        f"{own}: line 2: hunyuan_retry=often: accepted are off, vision, all",
    ]
    own.write_text("hunyuan_mode: [")
    assert config(home).stderr.startswith(f"{own}: line 1: not valid YAML")


def test_mitmproxys_second_file_wins_over_its_first(home: Path):
    (home / ".mitmproxy/config.yaml").write_text("hunyuan_mode: off")
    (home / ".mitmproxy/config.yml").write_text("hunyuan_mode: observe")
    assert rows(config(home)) == {"hunyuan_mode": ("observe", f"{home}/.mitmproxy/config.yml:1")}


def test_files_are_checked_alone(home: Path):
    (home / "base.yaml").write_text("mode: off")
    (home / "bad.yaml").write_text("mode: bogus")
    said = config(home, "--check", "base.yaml", HUNYUAN_MODE="bogus")
    assert (said.returncode, said.stdout, said.stderr) == (0, "The files are valid.\n", "")
    said = config(home, "--check", "base.yaml", "bad.yaml")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"{home}/bad.yaml: line 1: hunyuan_mode=bogus: ")
    assert config(home, "--check", "base.yaml", "--all").returncode == 2


def test_json_for_programs(home: Path):
    (home / "prod.yaml").write_text("redact: false")
    given = {"HUNYUAN_CONFIG": "prod.yaml", "HUNYUAN_MODE": "bogus", "HUNYUAN_X": "secret"}
    said = config(home, "--json", **given)
    assert (said.returncode, said.stderr) == (1, "")
    assert json.loads(said.stdout) == {
        "options": {
            "hunyuan_mode": {"value": "bogus", "source": "environment", "place": "HUNYUAN_MODE", "line": None},
            "hunyuan_redact": {"value": False, "source": "file", "place": f"{home}/prod.yaml", "line": 1},
            "hunyuan_config": {"value": "prod.yaml", "source": "environment", "place": "HUNYUAN_CONFIG", "line": None},
        },
        "files": [f"{home}/prod.yaml"],
        "plugins": [],
        "notes": ["Not known to hunyuan-fix, and without effect on it: HUNYUAN_X."],
        "problems": ["HUNYUAN_MODE=bogus: accepted are repair, observe, off"],
    }


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--all"]])
def test_no_secret_is_shown(home: Path, arguments: list[str]):
    secrets = {
        "HUNYUAN_API_KEY": "sk-secret",
        "HUNYUAN_API_KYE": "sk-secret",
        "HUNYUAN_OUTGOING_PROXY": "http://me:sk-secret@corp:3128",
        "HUNYUAN_UPSTREAM": "https://me:sk-secret@host/v1",
        "HUNYUAN_STORE": "redis://me:sk-secret@cache:6379/0",
        "HUNYUAN_SEARCH_COMMAND": "search --key sk-secret {query}",
        "HUNYUAN_FOREIGN": "sk-secret",
    }
    said = config(home, *arguments, **secrets)
    assert "sk-secret" not in said.stdout + said.stderr
    assert "HUNYUAN_SEARCH_COMMAND" in said.stdout


def test_it_speaks_the_language_of_the_option_or_of_the_system(home: Path):
    given = environment(home, LC_ALL="zh_CN.UTF-8", HUNYUAN_MODE="bogus")
    assert run("config", given=given).stderr == "HUNYUAN_MODE=bogus: 可用的值有 repair, observe, off\n"
    assert "Exit status" in config(home, "--help").stdout
    assert "退出码" in run("config", "--help", given=given).stdout


def test_the_plug_ins_that_count_are_listed(home: Path):
    named = f"{ROOT}/examples/house_style.py"
    said = config(home, HUNYUAN_PLUGINS=named)
    assert (said.returncode, said.stderr) == (0, "")
    assert f"Plug-in house-style ({named}): steps: house-style" in said.stdout.splitlines()
    (listed,) = json.loads(config(home, "--json", HUNYUAN_PLUGINS=named).stdout)["plugins"]
    assert (listed["name"], listed["steps"], listed["loaded"]) == ("house-style", ["house-style"], True)


def test_plug_ins_that_would_end_the_start_are_a_problem(home: Path):
    head = "from hunyuan_fix.plugins import *\n"
    (home / "mine.py").write_text(f"{head}class S(Step):\n name = 's'; after = 'x'\nPLUGIN = Plugin('a', steps=(S(),))")
    said = config(home, HUNYUAN_PLUGINS="mine.py")
    assert said.returncode == 1
    assert "HUNYUAN_PLUGINS=mine.py: the step s of a: there is no step x" in said.stderr
    said = config(home, HUNYUAN_PLUGINS="nowhere.py")
    assert (said.returncode, "there is no file" in said.stderr) == (1, True)


def test_a_plug_in_that_raises_is_listed_as_such(home: Path):
    (home / "mine.py").write_text("1 / 0\n")
    said = config(home, HUNYUAN_PLUGINS="mine.py")
    assert said.returncode == 0
    assert f"is not loaded: its code raises ZeroDivisionError, {home}/mine.py:1" in said.stdout
