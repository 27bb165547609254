"""The columns of mitmweb's list, unless the user chooses others."""

from __future__ import annotations

import pytest
from mitmproxy.tools.web.web_columns import AVAILABLE_WEB_COLUMNS

from hunyuan_fix.cli import launch, mitmweb_columns

OURS = ["--set", "web_columns=comment", "--set", "web_columns=status", "--set", "web_columns=time"]


def test_mitmweb_has_these_columns():
    assert set(mitmweb_columns.COLUMNS) <= set(AVAILABLE_WEB_COLUMNS)


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ([], OURS),
        (["--set", "web_port=8082"], OURS),
        (["--set", "web_columns=path"], []),
        (["--set=web_columns=path"], []),
        (["--set", "hunyuan_intercept_all=true"], []),
        (["--set", "hunyuan_intercept_all=false"], OURS),
    ],
)
def test_the_users_own_choice_stays(given: list[str], chosen: list[str]):
    assert mitmweb_columns.arguments(given) == chosen


def test_run_web_chooses_them_and_run_does_not():
    def command(*words: str) -> list[str]:
        return [word for word in launch.parse(words, "hunyuan-fix ").command() if "web_columns" in word]

    assert command("--web") == OURS[1::2]
    assert command() == []
