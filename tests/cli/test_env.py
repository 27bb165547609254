"""`scripts/env`: what it prints, taken over by a shell, sends real clients through the proxy."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hunyuan_fix.cli import client_setup, env
from hunyuan_fix.hooks import authority
from tests.cli.shell_environment import command, environment, run
from tests.end_to_end.processes import KEY, LEGACY, ROOT, Certificates, Proxy, Simulator
from tests.end_to_end.requests import agent_request

DIFFICULT = "a b'c\"d $e `f` \\g ’h 张三"
"""A folder name that every shell must quote."""

BLOCK = ["HTTPS_PROXY", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY"]

ASK_WITH_OPENAI = f"""
import json, openai, sys
client = openai.OpenAI(api_key={KEY!r}, base_url="https://{LEGACY}/v1", max_retries=0)
answer = client.chat.completions.create(**json.loads(sys.argv[1]))
print(answer.choices[0].message.content)
"""


def taken_over(given: dict[str, str], *scripts: str) -> dict[str, str]:
    """The environment of a program that bash starts after it has taken over what the `scripts` print."""
    show = shlex.join([sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"])
    lines = "\n".join(f'eval "$({script})"' for script in scripts)
    shell = subprocess.run(
        ["bash", "-c", f"set -eu\n{lines}\n{show}"],
        env=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return dict(json.loads(shell.stdout))


def test_clients_of_a_shell_that_takes_it_over_use_the_proxy(
    proxy: Proxy, simulator: Simulator, certificates: Certificates, tmp_path: Path
) -> None:
    script = shlex.join(command("env", "--port", str(proxy.port), "--confdir", str(certificates.confdir)))
    given = taken_over(environment(tmp_path), script)
    body = json.dumps(agent_request("[[sim:say 好]]"))
    headers = ["--header", "Content-Type: application/json", "--header", f"Authorization: Bearer {KEY}"]
    curl = ["curl", "--silent", "--show-error", *headers, "--data", body]
    clients = {
        "curl": [*curl, f"https://{LEGACY}/v1/chat/completions"],
        "openai": [sys.executable, "-c", ASK_WITH_OPENAI, body],
    }
    for name, asking in clients.items():
        answer = subprocess.run(asking, env=given, capture_output=True, text=True, timeout=60, check=False)
        assert "好" in answer.stdout, (name, answer.stderr)
    assert [request["status"] for request in simulator.requests()] == [200, 200]


def test_bash_gets_the_block_and_gives_it_back(tmp_path: Path) -> None:
    confdir = tmp_path / DIFFICULT
    before = environment(tmp_path)
    script = shlex.join(command("env", "--port", "8765", "--confdir", str(confdir)))
    after = taken_over(before, script)
    assert {name: after[name] for name in BLOCK} == {
        "HTTPS_PROXY": "http://127.0.0.1:8765",
        "SSL_CERT_FILE": str(confdir / "hunyuan-fix-ca-bundle.pem"),
        "NODE_EXTRA_CA_CERTS": str(confdir / "mitmproxy-ca-cert.pem"),
        "NODE_USE_ENV_PROXY": "1",
    }
    assert set(after) - set(taken_over(before)) == set(BLOCK)
    assert taken_over(before, script, f"{script} --unset") == taken_over(before)


def test_nothing_else_is_on_standard_output(tmp_path: Path) -> None:
    done = run("env", given=environment(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("=")[0] for line in done.stdout.splitlines()] == [f"export {name}" for name in BLOCK]


def test_it_makes_the_ca_and_the_bundle(tmp_path: Path) -> None:
    run("env", given=environment(tmp_path))
    ca = (tmp_path / ".mitmproxy/mitmproxy-ca-cert.pem").read_text()
    assert (tmp_path / ".mitmproxy/hunyuan-fix-ca-bundle.pem").read_text().startswith(ca.strip())
    assert (tmp_path / ".mitmproxy/mitmproxy-ca.pem").stat().st_mode & 0o777 == 0o600


def test_a_bundle_with_a_companys_roots_is_kept_until_the_ca_changes(
    certificates: Certificates, tmp_path: Path
) -> None:
    company = certificates.authority_file.read_text().strip()
    client_setup.write_bundle(tmp_path, certificates.authority_file)
    client_setup.ensure_files(tmp_path)
    assert company in authority.bundle_file(tmp_path).read_text()
    for file in tmp_path.glob("mitmproxy-*"):
        file.unlink()
    client_setup.ensure_files(tmp_path)
    assert authority.bundle_file(tmp_path).read_text().startswith(authority.ca_file(tmp_path).read_text().strip())


def test_unset_makes_no_files(tmp_path: Path) -> None:
    done = run("env", "--unset", given=environment(tmp_path))
    assert done.stdout.splitlines() == [f"unset {name}" for name in BLOCK]
    assert not list(tmp_path.iterdir())


def test_variables_that_would_win_over_the_block_are_set_too(tmp_path: Path) -> None:
    before = environment(tmp_path, https_proxy="http://proxy.company:3128", CURL_CA_BUNDLE="/etc/company.pem")
    script = shlex.join(command("env"))
    after = taken_over(before, script)
    assert after["https_proxy"] == after["HTTPS_PROXY"]
    assert after["CURL_CA_BUNDLE"] == after["SSL_CERT_FILE"]
    assert "REQUESTS_CA_BUNDLE" not in after
    back = taken_over(before, script, f"{script} --unset")
    assert not {"https_proxy", "CURL_CA_BUNDLE", *BLOCK} & set(back)
    assert taken_over(before, f"{script} --unset") == taken_over(before)


GOLDEN = {
    "fish": (
        """\
set -gx HTTPS_PROXY 'http://127.0.0.1:8080'
set -gx SSL_CERT_FILE '/a b\\'c"d $e `f` \\\\g ’h 张三/hunyuan-fix-ca-bundle.pem'
set -gx NODE_EXTRA_CA_CERTS '/a b\\'c"d $e `f` \\\\g ’h 张三/mitmproxy-ca-cert.pem'
set -gx NODE_USE_ENV_PROXY '1'""",
        """\
set -e HTTPS_PROXY
set -e SSL_CERT_FILE
set -e NODE_EXTRA_CA_CERTS
set -e NODE_USE_ENV_PROXY""",
    ),
    "powershell": (
        """\
$env:HTTPS_PROXY = 'http://127.0.0.1:8080'
$env:SSL_CERT_FILE = '/a b''c"d $e `f` \\g ’’h 张三/hunyuan-fix-ca-bundle.pem'
$env:NODE_EXTRA_CA_CERTS = '/a b''c"d $e `f` \\g ’’h 张三/mitmproxy-ca-cert.pem'
$env:NODE_USE_ENV_PROXY = '1'""",
        """\
Remove-Item Env:HTTPS_PROXY -ErrorAction SilentlyContinue
Remove-Item Env:SSL_CERT_FILE -ErrorAction SilentlyContinue
Remove-Item Env:NODE_EXTRA_CA_CERTS -ErrorAction SilentlyContinue
Remove-Item Env:NODE_USE_ENV_PROXY -ErrorAction SilentlyContinue""",
    ),
}


@pytest.mark.parametrize("shell", GOLDEN)
def test_the_words_of_other_shells(shell: str) -> None:
    confdir = Path("/", DIFFICULT)
    sets, unsets = GOLDEN[shell]
    assert "\n".join(env.lines(env.Wanted(shell, 8080, confdir, unset=False), {})) == sets
    assert "\n".join(env.lines(env.Wanted(shell, 8080, confdir, unset=True), {})) == unsets


@pytest.mark.parametrize(
    ("shell", "first"),
    [
        ("/bin/bash", "unset "),
        ("/usr/bin/zsh", "unset "),
        ("/opt/homebrew/bin/fish", "set -e "),
        ("/usr/bin/pwsh", "Remove-Item "),
        ("", "unset "),
    ],
)
def test_the_shell_is_known_by_its_variable(tmp_path: Path, shell: str, first: str) -> None:
    done = run("env", "--unset", given=environment(tmp_path, SHELL=shell))
    assert done.stdout.startswith(first)


def test_a_shell_that_is_not_known_is_a_usage_error(tmp_path: Path) -> None:
    given = environment(tmp_path, SHELL="/bin/tcsh")
    for arguments in ([], ["--shell", "tcsh"], ["--port", "none"]):
        done = run("env", *arguments, given=given)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("usage: scripts/env")
    assert run("env", "--unset", "--shell", "fish", given=given).returncode == 0


def test_a_ca_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".mitmproxy").write_text("")
    done = run("env", given=environment(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / ".mitmproxy") in done.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("env", ["--confdir", "here"], "export HTTPS_PROXY="),
        ("doctor", ["--confdir", "here"], "HTTPS_PROXY mode"),
        ("token", ["list", "--file", "here"], "No client has a token"),
    ],
    ids=["env", "doctor", "token"],
)
def test_the_script_itself_works_from_any_folder(tmp_path: Path, script: str, arguments: list[str], said: str) -> None:
    # An environment that is set up, as far as scripts/lib/environment.sh can tell.
    venv = tmp_path / "an environment"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (venv / "bin/python").chmod(0o755)
    pins = [(ROOT / name).read_text() for name in ("pyproject.toml", "constraints.txt")]
    (venv / "hunyuan-fix-stamp").write_text(f"{ROOT}\n\n{''.join(pins)}")
    # Whose folder has names that a careless import would find first.
    for name in ("scripts/lib/launch.py", "addon/options.py", "hunyuan_fix/cli/main.py"):
        trap = tmp_path / name
        trap.parent.mkdir(parents=True)
        trap.write_text("raise SystemExit('imported')")
    given = environment(tmp_path, HUNYUAN_FIX_VENV=str(venv), HUNYUAN_FIX_PYTHON="")
    done = subprocess.run(
        [ROOT / "scripts" / script, *arguments],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said in done.stdout, done.stderr
    assert "here" in done.stdout
    assert done.stderr == ""
