"""What an endpoint would refuse in a request, as the simulator's checks find it. Nothing is sent.

The simulator is loaded when somebody asks. Where the addon is run from its folder alone, it isn't there: then nothing
is known of what endpoints refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from . import profiles, texts
from .dialects import UPSTREAM_DIALECTS
from .dialects.base import BadRequest, House, UpstreamDialect
from .rules import RuleContext
from .wire import json_body, proxy_errors, rule_names

if TYPE_CHECKING:
    from .simulator import checks

type Problem = checks.Problem
"""One refusal."""
type _Simulated = checks.ProfileName

_SIMULATED: Mapping[str, _Simulated] = {"hunyuan": "hunyuan", "tokenhub": "tokenhub", "moonshot": "moonshot"}
"""The profiles whose endpoints the simulator knows, beside those of Tencent Cloud's own API."""


def is_known(profile: str) -> bool:
    """Whether anything is known of what the endpoints of `profile` refuse. Raises `KeyError`: there is none."""
    is_simulated = profile in _SIMULATED or _upstream(profile).name == rule_names.TENCENT_CLOUD_UPSTREAM
    return is_simulated and _is_there()


def is_proven(problem: Problem) -> bool:
    """Whether the refusal was seen or documented. The simulator's rows C are only claimed (its `--lenient`)."""
    return not problem.row.startswith("C")


def pointer_and_reason(problem: Problem) -> tuple[str, str]:
    """The JSON Pointer of the place that breaks a demand, and why it does, in English; either may be empty."""
    pointer, _, reason = problem.detail.partition(": ")
    return pointer, reason


def problems(body: object, house: House, profile: str) -> list[Problem]:
    """Why an endpoint of `profile` would refuse `body`, a request in the house language; empty where nothing is known.

    Raises `KeyError` where there is no such profile.
    """
    upstream = _upstream(profile)
    if not is_known(profile):
        return []
    if upstream.name == rule_names.TENCENT_CLOUD_UPSTREAM:
        return _native_problems(body, house, profile, upstream)
    from .simulator import checks  # noqa: PLC0415 - see above

    simulated = _SIMULATED[profile]
    if house == "chat":
        return list(checks.all_problems(body, simulated, strict=True))
    problem = checks.embedding_problems(body, simulated, strict=True)
    return [] if problem is None else [problem]


@cache
def _is_there() -> bool:
    """Whether there is a simulator."""
    return find_spec(".simulator", __package__) is not None


def _upstream(profile: str) -> UpstreamDialect:
    return UPSTREAM_DIALECTS[profiles.load(profile).dialect]


def _native_problems(body: object, house: House, profile_name: str, upstream: UpstreamDialect) -> list[Problem]:
    """Why Tencent Cloud's own API would refuse a body, once it is in the API's words."""
    from .simulator import checks, tencent_cloud  # noqa: PLC0415 - see above

    profile = profiles.load(profile_name)
    chat = json_body.parse(json_body.serialise(body))
    if not isinstance(chat, dict):
        return []
    try:
        demands = RuleContext(profile, profile.model(chat.get("model")), texts.load("en"), None)
        sent = json_body.parse(json_body.serialise(upstream.request(chat, demands, {})))
        if house == "chat":
            tencent_cloud.as_chat(sent)
        else:
            tencent_cloud.texts(sent)
    except BadRequest as error:
        return [checks.Problem("", 400, {"error": proxy_errors.UNTRANSLATABLE(why=error.message).fields()})]
    except tencent_cloud.Error as error:
        given = {"message": error.message, "code": error.code}
        return [checks.Problem(error.code, 200, {"error": given})]
    return []
