"""What a failed test's report says of its processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.end_to_end import processes
from tests.end_to_end.processes import process

SAYS = [sys.executable, "-c", "import os; print('said', os.environ['WORD'])"]


def test_one_that_the_test_has_ended_is_told_of_until_the_next_test():
    with process("speaker", SAYS, {"WORD": "two words"}) as started:
        started.wait_for("two words")
        assert (f"speaker (pid {started.pid})", started.account) in processes.accounts()
    assert (f"speaker (pid {started.pid})", started.account) in processes.accounts()
    processes.forget_ended()
    assert started.account not in [account for _, account in processes.accounts()]


def test_its_account_can_be_pasted_into_a_shell():
    with process("speaker", SAYS, {"WORD": "two  words"}) as started:
        started.wait_for("said two  words\n")
    command, _, said = started.account.partition("\n")
    again = subprocess.run(
        ["bash", "-c", command.removeprefix("$ ")], capture_output=True, text=True, timeout=60, check=True
    )
    assert again.stdout == said == "said two  words\n"


def test_tests_in_this_folder_are_left_out_by_fast(request: pytest.FixtureRequest):
    assert request.node.get_closest_marker("process")
