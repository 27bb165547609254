"""Budgets."""

from __future__ import annotations

from .entry import Entry

BUDGET_SPENT = Entry(
    status=400,
    code="budget_exceeded",
    type="insufficient_quota",
    message="The budget {budget} is used up: {spent} are spent. It begins anew at {resets}. Nothing was sent (option "
    "hunyuan_budgets).",
    when="a budget of the client, of the session or of all is used up",
    advice="wait until it begins anew, or raise it in `hunyuan_budgets`: that counts at once",
    retry=False,
)
BUDGET_HELD = Entry(
    status=429,
    code="budget_held",
    message="What is left of the budget {budget} is reserved for calls under way; {spent} are spent. Try again in "
    "{seconds} s (option hunyuan_budgets; it begins anew at {resets}).",
    when="what is left of a budget is reserved for other calls, which are under way",
    advice="wait for `Retry-After`; fewer calls at once, or a smaller `max_tokens`",
)
BUDGET_UNPRICED = Entry(
    status=400,
    code="budget_price_unknown",
    message="The price of {model} at {host} isn't known, and the budget {budget} is strict. Nothing was sent. A file "
    "in hunyuan_profiles can give the price; without the word strict such calls pass and aren't counted in money.",
    when="a budget in money is `strict`, and the price of the model isn't known in its currency",
    advice="give the price in your own profile ([profiles.md](profiles.md#prices)), or take `strict` away",
    retry=False,
)
