"""Cheap cases by the hundred, in one test: all are run, and each one that fails is named.

A case of `pytest.mark.parametrize` costs some 4 ms beside what it does: each worker collects it, one sets it up and
reports it. As a subtest it costs a tenth of that. A case that takes longer, or needs fixtures anew, stays a test.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

_NAMED = type(pytest.param(None))
_LONGEST = 100
"""Characters of a case's name, where it is given none."""


def each(
    names: str | Sequence[str], cases: Iterable[Any], ids: Callable[[Any], object] | Sequence[object] = repr
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize(names, cases, ids=ids)`, but in one test. Several make every combination.

    Fixtures are made once, for all cases. `ids` says what a case is called that fails, unless `pytest.param` does.
    """
    keys = [key.strip() for key in (names.split(",") if isinstance(names, str) else names)]
    found: list[tuple[str, dict[str, Any]]] = []
    for number, case in enumerate(cases):
        if isinstance(case, _NAMED):
            name, values = str(case.id), case.values
        else:
            name = str(ids(case) if callable(ids) else ids[number])[:_LONGEST]
            values = case if len(keys) > 1 else (case,)
        found.append((name, dict(zip(keys, values, strict=True))))
    assert found, f"no cases for {names}"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        one: Callable[..., None] = getattr(test, "one_case", test)
        lists = [found, *getattr(test, "lists_of_cases", ())]

        @functools.wraps(one)
        def looped(subtests: pytest.Subtests, **fixtures: Any) -> None:
            for combination in itertools.product(*lists):
                given = {key: value for _, values in combination for key, value in values.items()}
                with subtests.test(" | ".join(name for name, _ in combination)):
                    one(**fixtures, **given)

        given_here = {key for cases_of_one in lists for key in cases_of_one[0][1]}
        own = [found for name, found in inspect.signature(one).parameters.items() if name not in given_here]
        first = inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        looped.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined] # what pytest reads
        looped.one_case, looped.lists_of_cases = one, lists  # type: ignore[attr-defined]
        return looped

    return decorate
