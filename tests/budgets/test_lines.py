"""What a line of `hunyuan_budgets` says, and which lines a request has to keep to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.budgets.lines import TOKENS, Budget, amount, budgets
from hunyuan_fix.config import config_file
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.prices import UNITS

ALL = """client:alice day 2M tokens, client:* day 500k tokens, client:* month 50 CNY, session:* day 1.5k tokens,
 all month 300.25 cny strict, all month 0.000001 USD, all day 1_000 token"""


def applying(text: str, client: str = "", session: str = "") -> list[tuple[str, str]]:
    return [(who, str(budget)) for who, budget in budgets(text).applying(client, session)]


def test_the_lines() -> None:
    assert budgets(ALL).lines == (
        Budget("client", "alice", "day", TOKENS, 2_000_000),
        Budget("client", "*", "day", TOKENS, 500_000),
        Budget("client", "*", "month", "CNY", 50 * UNITS),
        Budget("session", "*", "day", TOKENS, 1500),
        Budget("all", "", "month", "CNY", 30025 * UNITS // 100, is_strict=True),
        Budget("all", "", "month", "USD", UNITS // 10**6),
        Budget("all", "", "day", TOKENS, 1000),
    )


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_no_line_is_no_budget(text: str) -> None:
    assert not budgets(text)
    assert applying(text, "alice", "s") == []


def test_a_client_has_its_own_line_in_the_place_of_that_for_each() -> None:
    assert applying(ALL, "alice") == [
        ("alice", "client:alice day 2,000,000 tokens"),
        ("alice", "client:* month 50.00 CNY"),
        ("", "all month 300.25 CNY strict"),
        ("", "all month 0.000001 USD"),
        ("", "all day 1,000 tokens"),
    ]
    assert applying(ALL, "bob")[0] == ("bob", "client:* day 500,000 tokens")


def test_those_without_a_client_token_are_one_client() -> None:
    assert applying("client:* day 1k tokens") == [("-", "client:* day 1,000 tokens")]
    assert applying("client:- day 1k tokens, client:* day 2k tokens") == [("-", "client:- day 1,000 tokens")]
    assert applying("client:alice day 1k tokens") == []


def test_a_session_that_is_not_known_has_no_budget() -> None:
    assert applying("session:* day 1k tokens", "alice") == []
    assert applying("session:* day 1k tokens", "alice", "5e55") == [("5e55", "session:* day 1,000 tokens")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("client:alice day 2M", "'client:alice day 2M' is no budget: accepted is whose it is, day or month"),
        ("client:alice day 2 M tokens", "'2' is no unit|is no budget"),
        ("client:alice day 2M tokens please", "is no budget"),
        ("alice day 2M tokens", "'alice' is no subject: accepted are all, client:NAME, client:\\* and session:\\*"),
        ("all: day 2M tokens", "'all:' is no subject"),
        ("client day 2M tokens", "'client' is no subject"),
        ("client: day 2M tokens", "the name of a client token"),
        ("client:a/b day 2M tokens", "the name of a client token"),
        ("session:abc day 2M tokens", "the name of a client token"),
        ("all week 2M tokens", "'week' is no period"),
        ("all mont 2M tokens", "did you mean month"),
        ("all day 2M yuan", "'yuan' is no unit: accepted are tokens, and codes of currencies"),
        ("all day -5 tokens", "'-5' is no number: accepted are such as 500k"),
        ("all day nan tokens", "'nan' is no number"),
        ("all day inf CNY", "'inf' is no number"),
        ("all day 1e9 tokens", "'1e9' is no number"),
        ("all day ２ tokens", "is no number"),
        ("all day 2.5 tokens", "can't be counted: tokens are whole"),
        ("all day 2000000G tokens", "can't be counted"),
        ("all day 1000001 CNY", "can't be counted"),
        ("all day 0.0000000000001 CNY", "is no number"),
        ("all day 2M tokens strict", "strict is for budgets in money"),
        ("all day 2M tokens, all day 3M tokens", "all has a budget in tokens for the day already"),
        ("client:* month 1 cny, client:* month 1 CNY strict", "has a budget in CNY for the month already"),
    ],
)
def test_what_is_no_budget_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        budgets(text)


def test_a_list_in_a_file_says_the_same() -> None:
    text = "budgets:\n  - client:alice day 2M tokens\n  - client:* month 50 CNY\n  - all month 300 CNY strict\n"
    given = config_file.read(text, {option.name: option.default for option in OPTIONS})["hunyuan_budgets"]
    assert budgets(str(given.value)) == budgets(
        "client:alice day 2M tokens, client:* month 50 CNY, all month 300 CNY strict"
    )


def test_a_budget_of_nothing_is_one() -> None:
    assert budgets("client:mallory day 0 tokens").lines[0].limit == 0


def test_there_are_not_too_many() -> None:
    with pytest.raises(ValueError, match="1000 budgets at most"):
        budgets(",".join(f"client:c{number} day 1 tokens" for number in range(1001)))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(budgets(text).lines, tuple)
    except ValueError as error:
        assert str(error)


@given(
    st.sampled_from(["all", "client:*", "client:alice", "session:*"]),
    st.sampled_from(["day", "month"]),
    st.integers(0, 10**12),
)
def test_what_a_line_says_is_read_again(subject: str, period: str, limit: int) -> None:
    line = budgets(f"{subject} {period} {limit} tokens").lines[0]
    assert budgets(str(line).replace(",", "")).lines == (line,)


def test_amounts_for_a_person() -> None:
    shown = [amount(given, "CNY") for given in (0, 1, UNITS // 8, UNITS, 1234567 * UNITS + UNITS // 3)]
    assert shown == ["0 CNY", "0 CNY", "0.125 CNY", "1.00 CNY", "1,234,567.33 CNY"]
    assert amount(1234567, TOKENS) == "1,234,567 tokens"
    assert Decimal(30025 * UNITS // 100) == Decimal("300.25") * UNITS
