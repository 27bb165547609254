"""The wheel, installed without the development packages into a fresh environment, and used from another folder."""

from __future__ import annotations

import json
import re
import shlex
import ssl
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hunyuan_fix.cli import main as cli
from scripts.lib.processes import free_port
from tests.cli.lint_run import BROKEN, CLEAN
from tests.cli.shell_environment import environment
from tests.end_to_end.processes import ROOT, Process, process
from tests.installed import Installed, ask, installed, simulator

__all__ = ["installed", "simulator"]

PROBE = """
import logging, sys
def running():
    package = sys.modules["hunyuan_fix"].__file__
    others = {name for name, module in sys.modules.items()
              if "hunyuan_fix" in name and not str(getattr(module, "__file__", "") or "").startswith(package[:-11])}
    logging.info(f"PROBE {package} {sorted(name for name in others if not name.startswith('__mitmproxy_script__'))}")
"""
"""A mitmproxy script: which copy is in use, and what of another copy is loaded."""


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_one_package_with_everything_in_it(installed: Installed) -> None:
    found = names(installed.wheel)
    (info,) = {name.split("/")[0] for name in found if ".dist-info/" in name}
    wanted = set()
    for source, target in ((ROOT / "addon", "hunyuan_fix"), (ROOT / "simulator", "hunyuan_fix/simulator")):
        files = (path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
        wanted |= {f"{target}/{path.relative_to(source).as_posix()}" for path in files}
    assert {name for name in found if not name.startswith(info)} == wanted
    assert {"hunyuan_fix/py.typed", "hunyuan_fix/profiles/hunyuan.toml"} <= wanted
    with zipfile.ZipFile(installed.wheel) as archive:
        assert archive.read(f"{info}/top_level.txt").decode().split() == ["hunyuan_fix"]
        assert "hunyuan-fix = hunyuan_fix.cli.main:main" in archive.read(f"{info}/entry_points.txt").decode()


def test_the_source_distribution_has_what_a_build_needs_and_no_tests(installed: Installed) -> None:
    """The wheel was built from it."""
    with tarfile.open(installed.sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "addon/hunyuan_fix.py", "simulator/rows.py"} <= found
    assert not any(name.startswith(("tests", "scripts")) for name in found)


def test_no_development_package_is_there(installed: Installed) -> None:
    for name in ("openai", "trustme", "pytest", "hypothesis", "redis"):
        done = subprocess.run([installed.python, "-c", f"import {name}"], capture_output=True, check=False)
        assert b"ModuleNotFoundError" in done.stderr


def test_version_and_help(installed: Installed, tmp_path: Path) -> None:
    version = installed.run(tmp_path, "--version")
    assert re.fullmatch(r"hunyuan-fix \d+\.\d+\.\d+\n", version.stdout)
    helped = installed.run(tmp_path, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert all(f"\n  {name} " in helped.stdout for name in cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_each_command_names_it_as_it_was_called(installed: Installed, tmp_path: Path, name: str) -> None:
    helped = installed.run(tmp_path, name, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith(f"usage: hunyuan-fix {name} ")
    assert "scripts/" not in helped.stdout
    assert list(tmp_path.iterdir()) == []


def test_env(installed: Installed, tmp_path: Path) -> None:
    done = installed.run(tmp_path, "env", "--port", "8765")
    assert done.stderr == ""
    exported = dict(shlex.split(line)[1].split("=", 1) for line in done.stdout.splitlines())
    assert exported["HTTPS_PROXY"] == "http://127.0.0.1:8765"
    assert Path(exported["SSL_CERT_FILE"]).is_relative_to(tmp_path)
    assert ssl.create_default_context(cafile=exported["SSL_CERT_FILE"]).get_ca_certs()


def test_token(installed: Installed, tmp_path: Path) -> None:
    file = str(tmp_path / "clients.toml")
    assert installed.run(tmp_path, "token", "add", "alice", "--file", file).stdout.startswith("hf-")
    again = installed.run(tmp_path, "token", "add", "alice", "--file", file)
    assert again.returncode == 1
    assert "hunyuan-fix token remove alice" in again.stderr
    assert installed.run(tmp_path, "token", "list", "--file", file).stdout.startswith("alice ")
    assert installed.run(tmp_path, "token", "remove", "alice", "--file", file).returncode == 0


def test_lint(installed: Installed, tmp_path: Path) -> None:
    assert installed.run(tmp_path, "lint", stdin=json.dumps(CLEAN)).returncode == 0
    broken = installed.run(tmp_path, "lint", "--format", "json", stdin=json.dumps(BROKEN))
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["requests"][0]["changes"]


def test_demo(installed: Installed, tmp_path: Path) -> None:
    done = installed.run(tmp_path, "demo", COLUMNS="100")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^without: 0 of (\d+) · with: \1 of \1$", done.stdout, re.MULTILINE)


def test_run_and_doctor(installed: Installed, simulator: str, tmp_path: Path) -> None:
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    command = [str(installed.program), "run", *ports, "--set", f"hunyuan_upstream={simulator}"]
    with process("hunyuan-fix run", command, environment(tmp_path)) as started:
        started.wait_for("hunyuan-fix is ready")
        answer = ask(int(ports[1]), tmp_path / ".mitmproxy/hunyuan-fix-ca-bundle.pem")
        assert answer.json()["choices"][0]["message"]["content"] == "好"
        assert "merge" in answer.headers["x-hunyuan-fix"]
        proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{ports[1]}"}
        report = json.loads(installed.run(tmp_path, "doctor", "--json", *ports, **proxy).stdout)
        started.terminate()
        assert started.wait() == 0
    findings = {finding["check"]: finding for finding in report["findings"]}
    assert {findings[name]["result"] for name in ("Python", "mitmproxy", "CA", "proxy", "decryption")} == {"ok"}
    assert any(finding["advice"].startswith('eval "$(hunyuan-fix env --port') for finding in report["findings"])


def mitmdump(installed: Installed, script: Path, home: Path, *arguments: str) -> list[str]:
    program = [str(installed.python), "-P", "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()"]
    confdir = ["--set", f"confdir={home / 'conf'}", "--set", "hunyuan_store=memory"]
    return [*program, "-s", str(script), *confdir, "--mode", "regular@127.0.0.1:0", *arguments]


def copy_in_use(started: Process) -> tuple[Path, str]:
    package, others = started.wait_for(r"PROBE (\S+) (\[.*\])").groups()
    return Path(package), others


def test_the_path_is_for_mitmdump(installed: Installed, simulator: str, tmp_path: Path) -> None:
    script = Path(installed.run(tmp_path, "path").stdout.removesuffix("\n"))
    assert script == installed.packages.resolve() / "hunyuan_fix/hunyuan_fix.py"
    (tmp_path / "probe.py").write_text(PROBE)
    command = mitmdump(
        installed, script, tmp_path, "--set", f"hunyuan_upstream={simulator}", "-s", str(tmp_path / "probe.py")
    )
    with process("mitmdump", command, environment(tmp_path)) as started:
        port = int(started.wait_for(r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")[1])
        started.wait_for("hunyuan-fix is ready")
        assert ask(port, tmp_path / "conf/mitmproxy-ca-cert.pem").status_code == 200
        assert copy_in_use(started) == (script.with_name("__init__.py"), "[]")


def test_a_clones_file_uses_the_clone_where_another_copy_is_installed(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    command = mitmdump(installed, ROOT / "addon/hunyuan_fix.py", tmp_path, "-s", str(tmp_path / "probe.py"))
    with process("mitmdump", command, environment(tmp_path)) as started:
        started.wait_for("hunyuan-fix is ready")
        assert copy_in_use(started) == (ROOT / "addon/__init__.py", "[]")


def test_two_copies_in_one_process_are_refused(installed: Installed, tmp_path: Path) -> None:
    """`hunyuan-fix run` has its own copy; another one would be the same names twice."""
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    done = installed.run(tmp_path, "run", *ports, "-s", str(ROOT / "addon/hunyuan_fix.py"))
    assert done.returncode == 1
    assert "one process runs one copy of hunyuan-fix" in done.stdout + done.stderr


def test_python_m_runs_it_too(installed: Installed, tmp_path: Path) -> None:
    command = [str(installed.python), "-m", "hunyuan_fix.cli.main", "path"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == installed.run(tmp_path, "path").stdout
    assert sys.executable != str(installed.python)
