"""`scripts/env --for AGENT`: the variables of `scripts/run -- AGENT`, as lines for a shell."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from hunyuan_fix.cli import env
from hunyuan_fix.cli.agents.proxy import Proxy
from hunyuan_fix.cli.agents.table import agents
from hunyuan_fix.cli.agents.variables import Target, variables
from scripts.lib.processes import free_port
from tests.cli.shell_environment import command, environment, run
from tests.cli.test_env import taken_over
from tests.end_to_end.processes import Proxy as RunningProxy

KEY = "sk-secret of `mine` $HOME \"'"
CONFDIR = Path("/conf")


@pytest.fixture
def ports() -> list[str]:
    """Ports on which no proxy runs."""
    return ["--port", str(free_port()), "--reverse-port", str(free_port())]


@pytest.mark.parametrize("name", agents())
def test_a_shell_gets_what_run_would_set(tmp_path: Path, ports: list[str], name: str) -> None:
    before = environment(tmp_path, HUNYUAN_API_KEY=KEY, ANTHROPIC_API_KEY="sk-ant", NO_PROXY="a.example")
    line = shlex.join(command("env", *ports, "--for", name))
    after = taken_over(before, line)
    confdir = tmp_path / ".mitmproxy"
    target = Target.by(Proxy(int(ports[1]), int(ports[3]), confdir, ""), None)
    expected = variables(agents()[name], target, before).of(before, KEY)
    expected["_"] = after["_"]  # the shell's own
    assert {key: after.get(key) for key in expected} == expected
    assert ("ANTHROPIC_API_KEY" in after) == (name != "claude-code")
    back = taken_over(before, line, f"{line} --unset")
    assert not set(agents()[name].set) - {"HUNYUAN_API_KEY"} & set(back)
    assert not {"HTTPS_PROXY", "SSL_CERT_FILE", *agents()[name].default} & set(back)
    assert back["HUNYUAN_API_KEY"] == KEY


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        (
            "sh",
            ["unset ANTHROPIC_API_KEY", "export ANTHROPIC_MODEL=hy3", 'export ANTHROPIC_AUTH_TOKEN="$HUNYUAN_API_KEY"'],
        ),
        (
            "fish",
            [
                "set -e ANTHROPIC_API_KEY",
                "set -gx ANTHROPIC_MODEL 'hy3'",
                'set -gx ANTHROPIC_AUTH_TOKEN "$HUNYUAN_API_KEY"',
            ],
        ),
        (
            "powershell",
            [
                "Remove-Item Env:ANTHROPIC_API_KEY -ErrorAction SilentlyContinue",
                "$env:ANTHROPIC_MODEL = 'hy3'",
                "$env:ANTHROPIC_AUTH_TOKEN = $env:HUNYUAN_API_KEY",
            ],
        ),
    ],
)
def test_the_words_of_each_shell(shell: str, lines: list[str]) -> None:
    claude = agents()["claude-code"]
    wanted = env.Wanted(shell, 8080, CONFDIR, unset=False)
    target = Target.by(Proxy(8080, 4000, CONFDIR, ""), None)
    printed = env.agent_lines(claude, target, wanted, {"ANTHROPIC_API_KEY": "x", "HUNYUAN_API_KEY": KEY})
    assert [line for line in printed if line in lines] == lines
    assert KEY not in "".join(printed)


def test_no_key_is_printed_and_notes_go_to_standard_error(tmp_path: Path, ports: list[str]) -> None:
    done = run("env", *ports, "--for", "qwen-code", given=environment(tmp_path, HUNYUAN_API_KEY="sk-secret"))
    assert "sk-secret" not in done.stdout + done.stderr
    assert all(line.startswith("export ") for line in done.stdout.splitlines())
    assert done.stderr == "scripts/env: start it as qwen --auth-type openai --model hy3\n"
    done = run("env", *ports, "--for", "codex", given=environment(tmp_path, HUNYUAN_API_KEY="sk-secret"))
    assert "sk-secret" not in done.stdout + done.stderr
    assert "start it as codex -c model=hy3 -c model_context_window=192000 " in done.stderr
    assert f'base_url = "http://127.0.0.1:{ports[3]}/v1"\n' in done.stderr
    done = run("env", *ports, "--for", "aider", given=environment(tmp_path))
    assert done.stderr.startswith("scripts/env: HUNYUAN_API_KEY isn't set here")


def test_settings_of_the_agents_own_are_told_of(tmp_path: Path, ports: list[str]) -> None:
    settings = tmp_path / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://elsewhere"}}), "utf-8")
    given = environment(tmp_path, HUNYUAN_API_KEY="sk-x")
    done = run("env", *ports, "--for", "claude-code", given=given)
    assert f"{settings} sets ANTHROPIC_BASE_URL" in done.stderr
    assert run("env", *ports, "--for", "claude-code", "--unset", given=given).stderr == ""


def test_the_model_is_that_of_the_endpoint_behind_the_proxy_that_runs(proxy: RunningProxy, tmp_path: Path) -> None:
    ports = ["--port", str(proxy.port), "--reverse-port", str(proxy.reverse_port)]
    given = environment(tmp_path, HUNYUAN_API_KEY="sk-x")
    confdir = ["--confdir", str(proxy.certificates.confdir)]
    assert "LITELLM_PROXY_API_BASE" in run("env", *ports, *confdir, "--for", "aider", given=given).stdout
    legacy = "AIDER_MODEL=litellm_proxy/hunyuan-2.0-instruct-20251111"
    assert legacy in run("env", *ports, *confdir, "--for", "aider", given=given).stdout
    assert (
        "AIDER_MODEL=litellm_proxy/hy3" in run("env", *ports, "--for", "aider", given=given).stdout
    )  # another CA: not it
    chosen = run("env", *ports, *confdir, "--for", "aider", "--model", "hunyuan-lite", given=given).stdout
    assert "AIDER_MODEL=litellm_proxy/hunyuan-lite" in chosen


@pytest.mark.parametrize("arguments", [["--for", "nobody"], ["--model", "hy3"]])
def test_wrong_use_is_told(tmp_path: Path, arguments: list[str]) -> None:
    done = run("env", *arguments, given=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--for" in done.stderr
