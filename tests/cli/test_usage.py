"""`hunyuan-fix usage`: table, CSV and JSON, in two languages, and what it says where there is nothing."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from hunyuan_fix.cli import usage
from hunyuan_fix.events import Event
from hunyuan_fix.observe.ledger import rows
from hunyuan_fix.observe.ledger.file import LedgerFile, default_path
from hunyuan_fix.texts import terminal
from tests.observe.ledger.calls import DAY, NOW, paid

type Run = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite3"


@pytest.fixture
def run(path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> str:
        assert usage.main(["--file", str(path), *arguments], "hunyuan-fix ") == 0
        return capsys.readouterr().out

    return run


def keep(path: Path, *calls: Event) -> None:
    with closing(LedgerFile(path, 36_500)) as file:
        file.add([rows.of(call) for call in calls])


MIXED = (
    paid(),
    paid(model="kimi-k3", currency="USD", amount=2_000_000_000),
    paid(model="kimi-k3", is_estimated=True, is_cancelled=True, currency="USD", amount=1_000_000_000),
    paid(model="hy3-preview", amount=None, currency=""),
    paid(status=500, usage={}, amount=None, currency=""),
)


def test_a_table_has_each_currency_and_says_what_is_not_in_its_sums(path: Path, run: Run) -> None:
    keep(path, *MIXED)
    table = run("--by", "model")
    lines = table.splitlines()
    assert lines[0].split() == ["model", "calls", "failed", "input", "cached", "output", "CNY", "USD"]
    assert lines[1].split() == ["kimi-k3", "2", "0", "40", "8", "9", "-", "0.002"]
    assert lines[2].split() == ["hy3", "2", "1", "40", "8", "9", "1.5000", "-"]
    assert lines[4].split() == ["together", "5", "1", "120", "24", "27", "1.5000", "0.002"]
    assert "1 calls whose endpoint didn't say what they used; 1 were cancelled" in table
    assert "40 tokens of input, 9 of output, 0.001 USD" in table
    assert "Without a known price, so in no cost: 1 calls." in table


def test_it_speaks_chinese(path: Path, run: Run) -> None:
    keep(path, *MIXED)
    terminal.use("zh")
    try:
        table = run("--by", "model")
    finally:
        terminal.use("en")
    assert table.splitlines()[0].split() == ["模型", "调用", "失败", "输入", "命中缓存", "输出", "CNY", "USD"]
    assert "合计" in table
    assert "价格未知、未计入费用：1 次调用。" in table


def test_json_has_all_of_it(path: Path, run: Run) -> None:
    keep(path, *MIXED)
    said = json.loads(run("--by", "model", "--format", "json"))
    assert said["by"] == "model"
    (kimi,) = [row for row in said["rows"] if row["model"] == "kimi-k3"]
    assert kimi["cost"] == {"USD": 0.002}
    assert kimi["estimated"]["cost"] == {"USD": 0.001}
    assert kimi["estimated"]["tokens"]["input"] == kimi["tokens"]["input"] == 40
    assert (said["total"]["calls"], said["total"]["failed"], said["total"]["cancelled"]) == (5, 1, 1)
    assert said["total"]["unpriced_calls"] == 1


def test_csv_has_a_column_for_each_currency(path: Path, run: Run) -> None:
    keep(path, *MIXED)
    lines = {line["model"]: line for line in csv.DictReader(io.StringIO(run("--by", "model", "--format", "csv")))}
    assert (lines["hy3"]["cost_CNY"], lines["hy3"]["cost_USD"]) == ("1.5", "")
    assert lines["kimi-k3"]["estimated_cost_USD"] == "0.001"
    assert lines["hy3-preview"]["unpriced_calls"] == "1"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "\t=1", "'=1"])
def test_csv_has_no_formulas(path: Path, run: Run, name: str) -> None:
    keep(path, paid(model=name))
    (line,) = csv.DictReader(io.StringIO(run("--by", "model", "--format", "csv")))
    assert not line["model"].startswith(("=", "+", "-", "@", "\t"))
    assert name.strip() in line["model"]


def test_a_table_shows_no_control_characters(path: Path, run: Run) -> None:
    keep(path, paid())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE call SET client = ?", ("\x1b[31mred\u202e",))
        connection.commit()
    said = run("--by", "client") + run("--by", "client", "--format", "csv") + run("--by", "client", "--format", "json")
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_since_and_until_are_days_both_included(path: Path, run: Run) -> None:
    day = datetime.fromtimestamp(NOW).replace(hour=0, minute=0, second=0)
    begun, name = day.timestamp(), day.strftime("%Y-%m-%d")
    keep(path, *(paid(at) for at in (begun - 1, begun, begun + DAY - 1, begun + DAY)))
    said = json.loads(run("--since", name, "--until", name, "--format", "json"))
    assert said["total"]["calls"] == 2
    assert [row["day"] for row in said["rows"]] == [name]


def test_since_is_a_while_ago(path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hunyuan_fix.cli.usage.time.time", lambda: NOW)
    keep(path, paid(NOW - 2 * DAY), paid(NOW - 3600))
    assert json.loads(run("--since", "12h", "--format", "json"))["total"]["calls"] == 1
    assert json.loads(run("--since", "1w", "--until", "1d", "--format", "json"))["total"]["calls"] == 1


def test_clients_and_models_are_chosen(path: Path, run: Run) -> None:
    keep(path, paid(), paid(client="bob"), paid(client="carol"))
    chosen = json.loads(run("--by", "client", "--client", "bob", "--client", "carol", "--format", "json"))
    assert {row["client"] for row in chosen["rows"]} == {"bob", "carol"}
    assert run("--client", "nobody") == "No calls.\n"


@pytest.mark.parametrize("wrong", [["--since", "yesterday"], ["--since", "1d", "--until", "2d"], ["--by", "key"]])
def test_wrong_usage(run: Run, wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*wrong)
    assert ended.value.code == 2
    assert "error" in capsys.readouterr().err


def test_where_nothing_is_kept_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert usage.main([], "hunyuan-fix ") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert str(default_path()) in said.err
    assert "hunyuan_usage_days" in said.err
    assert not default_path().exists()


def test_a_file_that_is_just_being_made_has_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.touch()
    assert usage.main(["--file", str(path)], "hunyuan-fix ") == 1
    assert "Nothing is kept yet" in capsys.readouterr().err


def test_what_is_no_ledger_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(b"something else" * 100)
    assert usage.main(["--file", str(path)], "hunyuan-fix ") == 1
    assert "can't be read" in capsys.readouterr().err


def test_it_reads_while_a_proxy_writes(path: Path, run: Run) -> None:
    keep(path, paid())
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM call")
        assert json.loads(run("--format", "json"))["total"]["calls"] == 1
        writer.execute("ROLLBACK")
