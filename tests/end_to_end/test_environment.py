"""The room that sets the environment up, run by bash itself; only Python is a stand-in that writes down its calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.processes import ROOT, clean_environment

BASH = shutil.which("bash") or "bash"
"""The first in PATH: `PATH=FOLDER:$PATH scripts/test …` runs these tests with another bash, such as macOS's 3.2."""

BASE_PYTHON = """#!/bin/sh
# A Python that is new enough (-c) and makes environments whose Python is a copy of itself (-m venv).
printf '%s\\n' "$*" >>"$CALLS"
case "$*" in
    *fcntl*) exec "$REAL" "$@" ;;
    "-m venv --clear "*) sleep "${SLOW:-0}" && rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *"$FAILING"*) exit 1 ;;
esac
"""


class Copy:
    """A copy of the repository's scripts in a folder whose path has spaces, and a stand-in for Python."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a b" / "hunyuan fix"
        self.calls_file = folder / "calls"
        self.python = folder / "python3.13"
        self.root.mkdir(parents=True)
        for name in ("scripts", ".ci"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root / name)
        self.python.write_text(BASE_PYTHON)
        self.python.chmod(0o755)
        self.folder = folder

    def start(
        self, script: str, *arguments: str, failing: str = "nothing", **environment: str
    ) -> subprocess.Popen[str]:
        variables = {
            "HOME": str(self.folder),
            "PATH": f"{Path(BASH).parent}:/usr/bin:/bin",
            "HUNYUAN_FIX_PYTHON": str(self.python),
            "CALLS": str(self.calls_file),
            "REAL": sys.executable,
            "FAILING": failing,
        }
        inherited = clean_environment()
        inherited.pop("HUNYUAN_FIX_VENV", None)  # the one that these tests run in
        return subprocess.Popen(
            [BASH, str(self.root / script), *arguments],
            cwd=self.folder,
            env=inherited | variables | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str, failing: str = "nothing", **environment: str) -> tuple[int, str, str]:
        """Run a script; its exit code, standard output and standard error."""
        process = self.start(script, *arguments, failing=failing, **environment)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def installs(self, language: str, extra: str = "") -> str:
        """The call that installs everything pinned (scripts/lib/installing.py)."""
        pinned = f"--constraints {self.root}/constraints.txt"
        return f"-P -m scripts.lib.installing --language {language} {pinned} {self.root}{extra}"

    def calls(self) -> list[str]:
        """How the stand-in was called since the last look, without the question for its version and the lock."""
        calls = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return [call for call in calls if not call.startswith("-c ")]


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_the_first_run_installs_pinned_and_the_second_does_nothing(copy: Copy) -> None:
    launch = "-P -m hunyuan_fix.cli.main --scripts run --web"
    status, output, errors = copy.run("scripts/run", "--web")
    assert (status, output) == (0, "")
    assert errors.startswith(f"hunyuan-fix: setting up {copy.root}/.venv (once: ")
    assert copy.calls() == [f"-m venv --clear {copy.root}/.venv", copy.installs("en"), launch]
    assert copy.run("scripts/run", "--web") == (0, "", "")
    assert copy.calls() == [launch]


@pytest.mark.parametrize("variable", ["LANG", "LC_ALL", "HUNYUAN_LANGUAGE"])
def test_it_speaks_chinese(copy: Copy, variable: str) -> None:
    value = "zh" if variable == "HUNYUAN_LANGUAGE" else "zh_CN.UTF-8"
    _, _, errors = copy.run("scripts/run", **{"LC_ALL": "", "LC_MESSAGES": "", variable: value})
    assert f"hunyuan-fix：正在准备运行环境 {copy.root}/.venv（仅首次" in errors
    assert copy.installs("zh") in copy.calls()


def test_the_tests_add_to_what_is_there(copy: Copy) -> None:
    copy.run("scripts/run")
    copy.calls()
    assert "adding the packages of [dev]" in copy.run("scripts/test")[2]
    assert copy.calls()[0] == copy.installs("en", "[dev]")
    for script in ("scripts/test", "scripts/run"):
        assert "(once" not in copy.run(script)[2]
    assert not any("installing" in call for call in copy.calls())


def test_the_tests_come_first(copy: Copy) -> None:
    """As in CI: everything at once, and the scripts that need less take it as it is."""
    copy.run("scripts/test")
    assert copy.calls()[:2] == [f"-m venv --clear {copy.root}/.venv", copy.installs("en", "[dev]")]
    assert copy.run("scripts/run") == (0, "", "")


def test_an_extra_can_be_asked_for(copy: Copy) -> None:
    copy.run("scripts/run")
    said = copy.run("scripts/run", HUNYUAN_FIX_EXTRA="otel")[2]
    assert f"adding the packages of [otel] to {copy.root}/.venv (once)" in said
    assert copy.installs("en", "[otel]") in copy.calls()


def test_packages_for_the_tests_that_failed_are_begun_again_and_the_proxy_runs_all_the_same(copy: Copy) -> None:
    copy.run("scripts/run")
    assert copy.run("scripts/test", failing="[dev]")[0] != 0
    assert copy.run("scripts/run") == (0, "", "")
    copy.calls()
    assert copy.run("scripts/test")[0] == 0
    assert copy.calls()[0] == copy.installs("en", "[dev]")


@pytest.mark.parametrize("changed", ["constraints.txt", "pyproject.toml"])
def test_changed_pins_are_installed(copy: Copy, changed: str) -> None:
    copy.run("scripts/run")
    copy.calls()
    (copy.root / changed).write_text("# other\n")
    copy.run("scripts/run")
    assert copy.calls()[0].startswith("-m venv")


def test_an_installation_that_failed_is_begun_again(copy: Copy) -> None:
    assert copy.run("scripts/run", failing="scripts.lib.installing")[0] != 0
    assert not any("hunyuan_fix.cli.main" in call for call in copy.calls())
    assert copy.run("scripts/run")[0] == 0
    assert copy.calls()[0].startswith("-m venv")


def test_two_first_runs_at_once_install_once(copy: Copy) -> None:
    both = [copy.start("scripts/run", SLOW="0.3"), copy.start("scripts/run", SLOW="0.3")]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    calls = copy.calls()
    assert len([call for call in calls if call.startswith("-m venv")]) == 1
    assert len([call for call in calls if "hunyuan_fix.cli.main" in call]) == 2


def test_an_active_environment_is_not_used(copy: Copy) -> None:
    copy.run("scripts/run", VIRTUAL_ENV="/elsewhere", PYTHONPATH="/elsewhere", PYTHONHOME="/elsewhere")
    assert (copy.root / ".venv/bin/python").exists()


def test_another_folder_can_be_named(copy: Copy) -> None:
    copy.run("scripts/run", HUNYUAN_FIX_VENV="my environment")
    assert (copy.folder / "my environment/bin/python").exists()


def test_without_a_python_that_is_new_enough_it_says_what_to_do(copy: Copy, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "cat", "cmp", "dirname"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    status, _, errors = copy.run("scripts/run", PATH=str(tools), HUNYUAN_FIX_PYTHON="")
    assert status == 1
    assert "Python 3.12 or newer" in errors
    assert "pyenv install" in errors


def test_a_python_that_was_named_and_is_no_good_is_not_replaced_by_another(copy: Copy) -> None:
    status, _, errors = copy.run("scripts/run", HUNYUAN_FIX_PYTHON="/nowhere/python")
    assert status == 1
    assert "/nowhere/python" in errors


def test_everything_runs_and_arguments_go_to_pytest(copy: Copy) -> None:
    assert copy.run("scripts/test", "tests/rules", "-x")[0] == 0
    lines = [call for call in copy.calls() if "scripts.lib.installing" not in call and " venv " not in call]
    assert [line.split()[1] for line in lines if "mypy" not in line] == ["ruff", "ruff", "pytest"]
    assert len([line for line in lines if line.startswith("-m mypy")]) == 1  # beside pytest
    (tests,) = [line for line in lines if line.startswith("-m pytest")]
    assert tests.endswith("tests/rules -x")


@pytest.mark.parametrize("step", ["ruff check", "ruff format", "mypy", "pytest"])
@pytest.mark.parametrize("script", ["scripts/test", ".ci/run"])
def test_any_failing_step_fails_the_run_and_the_tests_run_all_the_same(copy: Copy, step: str, script: str) -> None:
    status, output, _ = copy.run(script, failing=f"-m {step}")
    assert status != 0
    assert any(call.startswith("-m pytest") for call in copy.calls())
    *_, tests, types, verdict = output.splitlines()
    assert (tests, types, verdict) == ("== pytest", "== mypy", f"== failed: {step.split(maxsplit=1)[0]}")


def test_what_mypy_says_is_shown_whole_after_the_tests(copy: Copy, tmp_path: Path) -> None:
    """It runs beside them, and may say something before they do. Its file doesn't stay."""
    talking = BASE_PYTHON.replace(
        "esac", '    "-m mypy"*) echo "a.py:1: error: wrong"; echo "Found 1 error" >&2; exit 1 ;;\nesac'
    )
    copy.python.write_text(talking.replace("esac", '    "-m pytest"*) echo "1 passed" ;;\nesac'))
    (tmp_path / "temporary").mkdir()
    status, output, errors = copy.run("scripts/test", TMPDIR=str(tmp_path / "temporary"))
    assert status == 1
    assert output.splitlines()[-6:] == [
        "== pytest",
        "1 passed",
        "== mypy",
        "a.py:1: error: wrong",
        "Found 1 error",
        "== failed: mypy",
    ]
    assert "error" not in errors
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_pins_name_versions_and_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    for pin in pins:
        name, _, version = pin.partition(" ;")[0].partition("==")
        assert name
        assert version
        assert "://" not in pin
        assert "--hash" not in pin
