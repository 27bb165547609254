"""`doctor --fix` on real files: what it says, asks, changes and keeps; and `doctor` in Chinese."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hunyuan_fix.cli.doctor import file_edit
from hunyuan_fix.columns import width
from hunyuan_fix.config import operating_system
from hunyuan_fix.texts import terminal
from scripts.lib.processes import free_port
from tests.cli.shell_environment import command, environment, run

WRONG, RIGHT = "https://tokenhub-intl.tencentmaas.com", "https://tokenhub-intl.tencentcloudmaas.com"
SECRET = "sk-nobody-may-see-this"


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """The command runs in the test's process: afterwards that speaks English again."""
    yield
    terminal.use("en")


@pytest.fixture
def ports() -> list[str]:
    return ["--port", str(free_port()), "--reverse-port", str(free_port())]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Claude Code's file with two faults and a key."""
    file = tmp_path / ".claude/settings.json"
    file.parent.mkdir()
    env = {"ANTHROPIC_BASE_URL": WRONG, "NODE_EXTRA_CA_CERTS": "/missing.pem", "ANTHROPIC_AUTH_TOKEN": SECRET}
    file.write_text(json.dumps({"model": "hy3", "env": env}, indent=4))
    file.chmod(0o640)
    return file


def backups(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.backup-*"))


def test_without_a_terminal_nothing_is_changed_unasked(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    before = settings.read_bytes()
    done = run("doctor", "--fix", *ports, given=environment(tmp_path))
    assert done.returncode == 1
    assert f"would in {settings} set env.ANTHROPIC_BASE_URL to {RIGHT}" in done.stdout
    assert "--yes makes all these changes" in done.stdout
    assert settings.read_bytes() == before
    assert not backups(settings)


def test_all_that_can_be_mended_is_mended_once(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    before = settings.read_text()
    done = run("doctor", "--fix", "--yes", *ports, given=environment(tmp_path))
    assert SECRET not in done.stdout + done.stderr
    ca = tmp_path / ".mitmproxy/mitmproxy-ca-cert.pem"
    assert settings.read_text() == before.replace(WRONG, RIGHT).replace("/missing.pem", str(ca))
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    (backup,) = backups(settings)
    assert backup.read_text() == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert not [*settings.parent.glob(".settings*")]
    # Once more: the proxy's CA isn't there, but nothing is left that --fix could change.
    ca.parent.mkdir()
    ca.write_text("a certificate")
    again = run("doctor", "--fix", "--yes", *ports, given=environment(tmp_path))
    assert "There is nothing that --fix could change." in again.stdout
    assert backups(settings) == [backup]
    # The line that undoes it.
    (undo,) = {line.partition("to undo it: ")[2] for line in done.stdout.splitlines() if "to undo it" in line}
    subprocess.run(["sh", "-c", undo], check=True, timeout=60)
    assert settings.read_text() == before


def test_doctor_alone_writes_nothing(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for flags in ([], ["--json"]):
        done = run("doctor", *flags, *ports, given=environment(tmp_path))
        assert SECRET not in done.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    found = [one for one in json.loads(done.stdout)["findings"] if one["id"] == "settings/host"]
    assert len(found) == 1  # the home folder is the project's here: the file is read once
    assert found[0]["fix"] == f"in {settings} set env.ANTHROPIC_BASE_URL to {RIGHT}"


@pytest.mark.parametrize(
    ("answers", "changed"), [("y\nn\nn\n", True), ("n\nn\nn\n", False), ("\n\n\n", False), ("\x04" * 9, False)]
)
def test_at_a_terminal_each_change_is_a_question(
    tmp_path: Path, settings: Path, ports: list[str], answers: str, changed: bool
) -> None:
    own, shown = pty.openpty()
    given = environment(tmp_path)
    with subprocess.Popen(
        command("doctor", "--fix", *ports), cwd=tmp_path, env=given, stdin=shown, stdout=subprocess.PIPE, text=True
    ) as started:
        os.close(shown)
        os.write(own, answers.encode())
        said, _ = started.communicate(timeout=60)
    os.close(own)
    assert said.count("? [y/N] ") == 3
    assert (RIGHT in settings.read_text()) is changed
    assert "/missing.pem" in settings.read_text()


def test_a_link_stays_a_link(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    real = tmp_path / "dotfiles/claude.json"
    real.parent.mkdir()
    settings.rename(real)
    settings.symlink_to(real)
    run("doctor", "--fix", "--yes", *ports, given=environment(tmp_path))
    assert settings.is_symlink()
    assert RIGHT in real.read_text()
    assert len(backups(real)) == 1
    assert not backups(settings)


def test_a_read_only_file_is_left_alone(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    settings.chmod(0o400)
    before = settings.read_text()
    done = run("doctor", "--fix", "--yes", *ports, given=environment(tmp_path))
    assert done.returncode == 1
    assert f"not done: in {settings} set env.ANTHROPIC_BASE_URL to {RIGHT}: it is read-only" in done.stdout
    assert settings.read_text() == before
    assert not backups(settings)


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settings.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file_edit.replace(settings, "{}", {})
    assert settings.read_bytes() == before
    assert [*settings.parent.iterdir()] == [settings]


def test_the_mode_of_a_file_stays_and_a_backup_is_the_first_one(settings: Path) -> None:
    before, backups_made = settings.read_bytes(), dict[Path, Path]()
    for text in ("{}", '{"a": 1}'):
        assert file_edit.replace(settings, text, backups_made) == settings
        assert settings.read_text() == text
        assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert [path.read_bytes() for path in backups(settings)] == [before]
    assert backups_made == {settings: backups(settings)[0]}


def test_line_ends_and_byte_order_marks_stay(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    settings.write_bytes(b"\xef\xbb\xbf" + settings.read_bytes().replace(b"\n", b"\r\n"))
    before = settings.read_bytes()
    run("doctor", "--fix", "--yes", *ports, given=environment(tmp_path))
    ca = str(tmp_path / ".mitmproxy/mitmproxy-ca-cert.pem").encode()
    assert settings.read_bytes() == before.replace(WRONG.encode(), RIGHT.encode()).replace(b"/missing.pem", ca)


def test_the_ca_is_made_where_it_is_needed(tmp_path: Path, ports: list[str]) -> None:
    given = environment(tmp_path, HTTPS_PROXY=f"http://127.0.0.1:{ports[1]}")
    done = run("doctor", "--fix", "--yes", *ports, given=given)
    assert "make the proxy's CA" in done.stdout
    assert (tmp_path / ".mitmproxy/hunyuan-fix-ca-bundle.pem").is_file()


@pytest.mark.parametrize("flags", [["--yes"], ["--fix", "--json"], ["--fix", "--live"]])
def test_flags_that_do_not_go_together(tmp_path: Path, flags: list[str]) -> None:
    done = run("doctor", *flags, given=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")


# Chinese


def test_a_report_in_chinese_is_aligned_and_its_json_english(tmp_path: Path, settings: Path, ports: list[str]) -> None:
    given = environment(tmp_path, LANG="zh_CN.UTF-8", HTTPS_PROXY=f"http://127.0.0.1:{ports[1]}")
    given.pop("LC_ALL", None)
    done = run("doctor", *ports, given=given)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("问题  代理")
    assert f"没有运行（端口 {ports[1]} 空闲）" in lines[0]
    start = width(lines[0].partition("没有运行")[0])
    below = [line for line in lines[:-2] if line.strip()]
    assert all(width(line) > start for line in below)
    for line in below:
        cut, columns = 0, 0
        while columns < start:
            columns += width(line[cut])
            cut += 1
        assert columns == start
        assert line[:cut].endswith(" ")
        assert not line[cut].isspace()
    assert lines[-1].endswith("警告")
    english = json.loads(run("doctor", "--json", *ports, given=given).stdout)
    terminal.use("en")
    plain = json.loads(run("doctor", "--json", *ports, given=given | {"LANG": "en_US.UTF-8"}).stdout)
    assert english == plain
    assert english["findings"][0]["id"] == "proxy/not-running"


def test_live_is_chinese_too(tmp_path: Path) -> None:
    given = environment(tmp_path, LANG="zh_CN.UTF-8")
    given.pop("LC_ALL", None)
    done = run("doctor", "--live", "--upstream", "https://tokenhub.tencentmaas.com/v1", given=given)
    assert done.returncode == 1
    assert "没有密钥：设置 TENCENT_API_KEY 或 HUNYUAN_API_KEY 后再试" in done.stderr
    said = json.loads(run("doctor", "--live", "--json", "--upstream", "https://x.example/v1", given=given).stdout)
    assert said["error"].startswith("no profile is for https://x.example/v1")


def test_the_line_that_undoes_a_change_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup, target = tmp_path / "it's.backup", tmp_path / "it's"
    backup.write_text("as it was")
    monkeypatch.setattr(operating_system, "is_windows", lambda: False)
    subprocess.run(["sh", "-c", file_edit.undo_command(backup, target)], check=True)
    assert target.read_text() == "as it was"
    monkeypatch.setattr(operating_system, "is_windows", lambda: True)
    assert file_edit.undo_command(Path("it's.backup"), Path("it's")) == "Move-Item -Force 'it''s.backup' 'it''s'"


def test_a_file_cannot_write_to_the_terminal(tmp_path: Path, ports: list[str]) -> None:
    """A project's own settings are written by others."""
    file = tmp_path / "project/.claude/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": f"{WRONG}/\x1b]0;title\x07\x1b[2J"}}))
    done = run("doctor", *ports, given=environment(tmp_path), folder=file.parent.parent)
    assert "title" in done.stdout
    assert not set("\x1b\x07") & set(done.stdout)
