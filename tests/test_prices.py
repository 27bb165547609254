"""What a call costs: exact, by the host's currency and the tier, and unknown wherever the sum would be a guess."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import prices, profiles
from hunyuan_fix.prices import UNITS, Cost, cost
from hunyuan_fix.profiles import Model, Price, Profile, ProfileError

type Add = Callable[[str, str], None]
HOST = "llm.example"
TOKENHUB, INTL = "tokenhub.tencentmaas.com", "tokenhub-intl.tencentcloudmaas.com"


def profile(*rows: Price, plan: bool = False, **currencies: str) -> Profile:
    known = profiles.load("moonshot")
    model = Model("m", prices=rows)
    hosts = {host.replace("_", "."): currency for host, currency in currencies.items()}
    return replace(known, models={"m": model}, plan=plan, currencies=hosts, find=Model)


def price(currency: str = "USD", **given: Any) -> Price:
    return Price(
        currency, "2026-11-28", "https://llm.example", **{"input": 3.0, "output": 15.0, "cached": 0.3, **given}
    )


def amount(found: Cost | None) -> int | None:
    return found.amount if found else None


def test_each_kind_of_token_has_its_price() -> None:
    found = cost(profile(price()), "m", HOST, {"input": 1_000_000, "cached": 400_000, "output": 10_000, "reasoning": 9})
    assert found == Cost(amount=round((1.8 + 0.12 + 0.15) * UNITS), currency="USD", as_of="2026-11-28")
    assert found.decimal == Decimal("2.07")


def test_tokens_written_to_a_cache_have_a_price_of_their_own_or_that_of_the_input() -> None:
    used = {"input": 1000, "cached": 200, "written": 300, "output": 0}
    plain = cost(profile(price()), "m", HOST, used)
    assert amount(plain) == (800 * 3_000_000 + 200 * 300_000)
    dearer = cost(profile(price(written=3.75)), "m", HOST, used)
    assert amount(dearer) == 500 * 3_000_000 + 200 * 300_000 + 300 * 3_750_000


def test_parts_are_no_larger_than_their_whole() -> None:
    found = cost(profile(price(written=3.75)), "m", HOST, {"input": 10, "cached": 50, "written": 50, "output": 0})
    assert amount(found) == 10 * 300_000


@pytest.mark.parametrize(
    "used", [{}, {"input": 5}, {"output": 5}, {"input": -1, "output": 1}, {"input": 1, "output": -1}]
)
def test_a_count_that_is_missing_makes_the_cost_unknown(used: dict[str, int]) -> None:
    assert cost(profile(price()), "m", HOST, used) is None


@pytest.mark.parametrize("missing", ["input", "cached", "output"])
def test_a_price_that_is_missing_counts_only_where_the_sum_needs_it(missing: str) -> None:
    known = profile(price("USD", **{missing: None}))
    assert cost(known, "m", HOST, {"input": 10, "cached": 5, "output": 5}) is None
    none_of_it = {"input": {"input": 5, "cached": 5, "output": 5}, "cached": {"input": 5, "output": 5}}
    used = none_of_it.get(missing, {"input": 5, "output": 0})
    assert amount(cost(known, "m", HOST, used))


def test_an_embedding_has_no_output() -> None:
    known = profile(price(output=None))
    embedding = replace(known, models={"m": replace(known.models["m"], embedding=True)})
    assert amount(cost(embedding, "m", HOST, {"input": 10})) == 30_000_000
    assert cost(known, "m", HOST, {"input": 10}) is None


def test_the_tier_is_that_of_the_whole_input() -> None:
    tiers = profile(price(input=1.0, up_to=100), price(input=2.0, up_to=200))
    each = [amount(cost(tiers, "m", HOST, {"input": count, "cached": 0, "output": 0})) for count in (100, 101, 200)]
    assert each == [100 * 1_000_000, 101 * 2_000_000, 200 * 2_000_000]
    assert cost(tiers, "m", HOST, {"input": 201, "output": 0}) is None, "no price for so long a request"


def test_a_model_without_prices_and_an_unknown_one_have_no_cost() -> None:
    used = {"input": 1, "output": 1}
    assert cost(profile(), "m", HOST, used) is None
    assert cost(profile(price()), "other", HOST, used) is None
    assert cost(profile(price()), "", HOST, used) is None


def test_a_plan_has_no_prices() -> None:
    assert cost(profile(price(), plan=True), "m", HOST, {"input": 1, "output": 1}) is None


def test_another_kind_of_the_model_has_only_prices_of_its_own() -> None:
    known = profiles.load("moonshot")
    used = {"input": 1, "output": 1}
    assert cost(known, "kimi-k2.6", "api.moonshot.ai", used)
    assert cost(known, "kimi-k2.6[1m]", "api.moonshot.ai", used), "a mark of the client's"
    assert cost(known, "kimi-k2.6:free", "api.moonshot.ai", used) is None


def test_the_host_says_which_currency_counts() -> None:
    both = profile(price("USD"), price("CNY", input=20.0), cn_example="CNY", intl_example="USD")
    used = {"input": 1, "output": 0}
    assert cost(both, "m", "cn.example", used) == Cost(20_000_000, "CNY", "2026-11-28")
    assert cost(both, "m", "intl.example", used) == Cost(3_000_000, "USD", "2026-11-28")
    assert cost(both, "m", HOST, used) is None, "which of the two isn't known"
    dollars = profile(price("USD"), cn_example="CNY")
    assert cost(dollars, "m", "cn.example", used) is None
    assert cost(dollars, "m", HOST, used) == Cost(3_000_000, "USD", "2026-11-28")


def test_a_model_of_the_data_that_is_paid_in_two_currencies() -> None:
    tokenhub, used = profiles.load("tokenhub"), {"input": 20_000, "cached": 0, "output": 100}
    cn, intl = (cost(tokenhub, "hy3-preview", host, used) for host in (TOKENHUB, INTL))
    assert cn
    assert intl
    assert (cn.currency, cn.decimal) == ("CNY", Decimal("0.03264"))
    assert (intl.currency, intl.decimal) == ("USD", Decimal("0.0047939"))
    assert cost(tokenhub, "kimi-k3", TOKENHUB, used) is None, "its price in yuan isn't known"


def test_what_no_call_can_cost_is_unknown() -> None:
    assert cost(profile(price()), "m", HOST, {"input": 2**53 - 1, "output": 2**53 - 1}) is None
    most = cost(profile(price(output=1e8)), "m", HOST, {"input": 0, "output": 9_999})
    assert most
    assert most.amount < prices.MOST


PRICES = st.decimals(0, 1000, places=6).map(float)
COUNTS = st.integers(0, 2_000_000)


@given(PRICES, PRICES, PRICES, COUNTS, st.integers(0, 100), COUNTS)
def test_an_amount_is_exact(input_: float, cached: float, output: float, read: int, percent: int, made: int) -> None:
    known = profile(price(input=input_, cached=cached, output=output))
    part = read * percent // 100
    found = cost(known, "m", HOST, {"input": read, "cached": part, "output": made})
    assert found
    each = [Fraction(str(one)) / 10**6 for one in (input_, cached, output)]
    assert Fraction(found.amount, UNITS) == (read - part) * each[0] + part * each[1] + made * each[2]


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=30), st.randoms(use_true_random=False))
def test_a_sum_is_the_same_in_every_order(calls: list[tuple[int, int]], order: random.Random) -> None:
    known = profile(price(input=0.1, output=0.7))
    found = [cost(known, "m", HOST, {"input": read, "output": made}) for read, made in calls]
    amounts = [one.amount for one in found if one]
    shuffled = order.sample(amounts, len(amounts))
    assert sum(amounts) == sum(shuffled)
    both = sum(read for read, _ in calls), sum(made for _, made in calls)
    assert sum(amounts) == amount(cost(known, "m", HOST, dict(zip(("input", "output"), both, strict=True))))


def test_a_price_with_more_decimals_is_rounded_once() -> None:
    known = profile(price(input=0.0000001))
    assert amount(cost(known, "m", HOST, {"input": 5, "output": 0})) == 0
    assert amount(cost(known, "m", HOST, {"input": 16, "output": 0})) == 2


OWN = """
extends = "moonshot"
hosts = ["llm.example"]
[currencies]
"llm.example" = "CNY"
[models."big-*"]
prices = [{ currency = "CNY", as_of = "2026-11-29", source = "our contract", input = 4, output = 16.0, cached = 1 }]
"""


def test_a_user_has_prices_of_his_own(add_provider: Add) -> None:
    add_provider("toy", OWN)
    found = cost(profiles.load("toy"), "big-1", HOST, {"input": 1000, "cached": 500, "output": 100})
    assert found == Cost(500 * 4_000_000 + 500 * 1_000_000 + 100 * 16_000_000, "CNY", "2026-11-29")


def test_a_user_gives_a_model_of_the_data_another_price(add_provider: Add) -> None:
    row = '{ currency = "CNY", as_of = "2026-11-29", source = "invoice", input = 6.5, output = 27.0, cached = 1.1 }'
    add_provider("moonshot", f'[models."kimi-k2.6"]\nprices = [{row}]\n')
    known = profiles.load("moonshot")
    assert cost(known, "kimi-k2.6", "api.moonshot.cn", {"input": 2, "output": 0}) == Cost(
        13_000_000, "CNY", "2026-11-29"
    )
    assert cost(known, "kimi-k2.6", "api.moonshot.ai", {"input": 2, "output": 0}) is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("input = nan", r"prices\[0\]\.input: accepted is what a million tokens cost, not nan"),
        ("output = inf", r"prices\[0\]\.output: "),
        ("cached = -0.5", r"prices\[0\]\.cached: "),
        ("written = 1e300", r"prices\[0\]\.written: "),
        ("up_to = 0", r"prices\[0\]\.up_to: "),
    ],
)
def test_what_is_no_price_is_an_error(add_provider: Add, row: str, said: str) -> None:
    text = f'[models.m]\nprices = [{{ currency = "USD", as_of = "2026-11-29", source = "s", {row} }}]\n'
    with pytest.raises(ProfileError, match=rf'^moonshot\.toml: models\."m"\.{said}'):
        add_provider("moonshot", text)
        profiles.load("moonshot")


def test_a_tier_that_no_request_gets_to_is_an_error(add_provider: Add) -> None:
    row = 'currency = "USD", as_of = "2026-11-29", source = "s"'
    with pytest.raises(ProfileError, match=r"prices\[1\]\.up_to"):
        add_provider("moonshot", f"[models.m]\nprices = [{{ {row} }}, {{ {row}, up_to = 5 }}]\n")
        profiles.load("moonshot")


def test_a_currency_is_a_code(add_provider: Add) -> None:
    with pytest.raises(ProfileError, match=r"prices\[0\]\.currency: .*not 'yuan'"):
        add_provider("moonshot", '[models.m]\nprices = [{ currency = "yuan", as_of = "d", source = "s" }]\n')
        profiles.load("moonshot")
