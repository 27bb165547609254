"""Tests of many things in many ways: each thing in one way by day, in every way with `--nightly`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest

VERSIONS: Mapping[str, bool] = {"http/1.1": False, "http/2": True}
"""Of HTTP, which a client speaks; as the parameter `http2`."""


def each(
    things: str, values: Mapping[str, object], /, *, start: int = 0, **ways: Mapping[str, object]
) -> pytest.MarkDecorator:
    """Parametrise a test by `things`, each of `values` in the next of the `ways`; at night in all of them.

    The ways are the combinations of what the keywords name. They are taken in turn, from number `start` on: two tests
    of the same things that start apart meet each thing in different ways.
    """
    combined = list(product(*(axis.items() for axis in ways.values())))
    rows = max(len(values), len(combined))
    listed = list(values)
    by_day = {(listed[row % len(listed)], (row + start) % len(combined)) for row in range(rows)}
    parameters = [
        pytest.param(
            value,
            *(chosen for _, chosen in way),
            id="-".join([name.replace(" ", "-"), *(label for label, _ in way)]),
            marks=() if (name, number) in by_day else pytest.mark.nightly,
        )
        for name, value in values.items()
        for number, way in enumerate(combined)
    ]
    return pytest.mark.parametrize((things, *ways), parameters)
