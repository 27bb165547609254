"""Whether an endpoint that refuses a request in another format than chat may take the same request as chat. Pure.

A facade answers 400 to a field, a block or a whole format that it doesn't know, and 404 or 405 where it has no such
path. Of what is wrong with the content, the key or the model, chat would say the same.
"""

from __future__ import annotations

import re
from typing import Final

from ..dialects import errors
from ..profiles import Profile
from ..wire import vendor_errors
from .reading import STATUSES, said_in

NO_PATH: Final = frozenset({404, 405})
_MOST: Final = 64 * 1024
"""Bytes of an error that are looked at."""
_ANYWAY: Final = re.compile(
    r"(?i)\bmodel(?:_| )?(?:not|id|does|is|`|'|\")|no such model|content.?filter|moderat|sensitive|high risk"
    r"|inappropriate|safety|content policy|violat|quota|balance|billing|insufficient|arrear|api.?key|authenticat"
    r"|unauthori[sz]ed|permission|forbidden|token plan|rate.?limit|overload|context (?:length|window|limit)"
    r"|token limit|too (?:long|large)|exceed|unapproved channel|currently only available"
    r"|敏感|违规|审核|额度|余额|欠费|鉴权|模型不存在|超长|过长"
)
"""What is said of the content, the key, the account or the model."""
_HISTORY: Final = re.compile(
    r"(?i)\breasoning_content\W{1,2}(?:is missing|in the thinking mode must be passed back)"
    r"|missing \W?reasoning_content|expected \W?(?:redacted_)?thinking"
    r"|\b(?:tool_use|tool_result|tool_calls?)\b.{0,80}\b(?:without|corresponding|must be followed|did not have)"
)
"""What is said of turns that this conversation has, and others don't."""


def may_help(status: int, error: bytes, profile: Profile, model: str) -> bool:
    """Whether the error of an answer with `status` may be one of the format alone."""
    if status not in STATUSES | NO_PATH:
        return False
    error = error[:_MOST]
    if vendor_errors.translate_error(status, error, None, profile, model) is not None:
        return False
    meant = errors.meaning(errors.given_in(error, status), status)
    if meant.status not in STATUSES | NO_PATH or meant.too_long is not None or meant.too_much is not None:
        return False
    said = [*said_in(error), meant.said]
    if status in NO_PATH and any("model" in line.lower() for line in said):
        return False
    return not any(_ANYWAY.search(line) for line in said)


def is_of_the_history(error: bytes) -> bool:
    """Whether an error is about turns of this conversation, so that it says nothing of other requests of the model."""
    return any(_HISTORY.search(line) for line in said_in(error[:_MOST]))
