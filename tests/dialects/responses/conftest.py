"""Where the dialect is not there yet, a small one stands in for it."""

from __future__ import annotations

from typing import cast

import pytest

from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.dialects.base import Dialect
from hunyuan_fix.dialects.responses.by_id import KeptResponses
from hunyuan_fix.dialects.responses.compact import Compact
from hunyuan_fix.dialects.responses.input_tokens import InputTokens
from tests.dialects.responses.standing_in import Responses


@pytest.fixture(autouse=True)
def standing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = cast("Dialect", Responses())
    for dialect in (responses, KeptResponses(responses), Compact(responses), InputTokens(responses)):
        if dialect.name not in DIALECTS:
            monkeypatch.setitem(DIALECTS, dialect.name, dialect)
