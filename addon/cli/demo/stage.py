"""Where the demo's scenes are played: an endpoint, the two ways to it, what came of a scene, and how that is shown.

A scene is played twice, by the same client with the same request: directly to the endpoint, and through the proxy with
the addon. Its outcome says whether it worked, and shows the messages, answers and errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from ...columns import shorten
from ...texts.terminal import say
from ..colours import CYAN, DIM, GREEN, RED, YELLOW, paint
from .client import ApiError, Client, Refused
from .platforms import Platform, PlatformName

RULES_HEADER = "x-hunyuan-fix"

_ROLE = 10
"""Columns for a message's role."""
_DIRECTIVE = re.compile(r"\s*\[\[sim:[a-z-]+ ?(.*?)]]", re.DOTALL)


class Endpoint:
    """The simulator, seen through its control pages. `url`: its address without a path."""

    def __init__(self, url: str) -> None:
        self.base_url = f"{url}/v1"
        self._http = httpx.Client(base_url=f"{url}/_sim/", trust_env=False, timeout=30)

    def reset(self) -> None:
        """Forget all requests so far."""
        self._http.post("reset")

    def requests(self) -> list[dict[str, Any]]:
        """The requests since `reset`, oldest first, and why each was refused (`row`, `detail`)."""
        return list(self._http.get("requests").json())

    def vision_calls(self) -> int:
        """The number of these requests that a vision model answered."""
        return int(self._http.get("stats").json()["vision_calls"])

    def disturb(self, **fault: object) -> None:
        """Give the next request a fault."""
        self._http.post("faults", json=[fault])


@dataclass(frozen=True, slots=True)
class Side:
    """One way to the endpoint: a client, and the changes that the addon named in each answer."""

    client: Client
    unmoved: Client
    """A client that still has the old platform's address. Directly there is no such place: it has the new address."""
    native: Client
    """A program with Tencent Cloud's SDK, with the address of the API that was shut down. Directly as `unmoved`."""
    endpoint: Endpoint
    platform: Platform
    columns: int
    """Width of the terminal's half for this side."""
    rules: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scene went on one side."""

    worked: bool
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Scene:
    """`title` and `about` are sentences that `say` translates; `play` raises `ApiError` where the endpoint refuses."""

    title: str
    about: str
    play: Callable[[Side], Outcome]
    platform: PlatformName = "tokenhub"


def perform(scene: Scene, side: Side) -> Outcome:
    """Play `scene` on one side. An error of the client's is an outcome too."""
    side.endpoint.reset()
    side.rules.clear()
    try:
        outcome = scene.play(side)
    except Refused as error:
        outcome = Outcome(False, [*arrived(side), *refused(error, side)])
    except ApiError as error:
        outcome = Outcome(False, [failed(str(error))])
    if not side.rules:
        return outcome
    rules = dict.fromkeys(rule for header in side.rules for rule in header.split(","))
    return Outcome(outcome.worked, [*outcome.lines, paint(f"  {RULES_HEADER}: {', '.join(rules)}", CYAN)])


def worked(text: str) -> str:
    """A line for what went well."""
    return paint(f"✓ {text}", GREEN)


def failed(text: str) -> str:
    """A line for what did not."""
    return paint(f"✗ {text}", RED)


def refused(error: Refused, side: Side) -> Iterator[str]:
    """Lines for a refusal, and for what the endpoint says it is about."""
    yield failed(str(error))
    detail = side.endpoint.requests()[-1]["detail"]
    if detail.startswith("/"):
        yield paint("  " + say("at {place}", place=detail), DIM)


def arrived(side: Side) -> list[str]:
    """The messages of the last chat request as they arrived at the endpoint, one line each."""
    body = side.endpoint.requests()[-1]["body"]
    lines = []
    for message in body.get("messages") or _with_roles(body.get("input")):
        words = shorten(_words(message), side.columns - _ROLE)
        lines.append(paint(f"{message['role']:{_ROLE}}", YELLOW) + words)
    settings = [name for name in body if name not in ("model", "messages", "input", "stream")]
    return [*lines, paint(say("with {names}", names=", ".join(settings)), DIM)] if settings else lines


def _with_roles(given: Any) -> list[dict[str, Any]]:
    """The messages among the items of a Responses request."""
    return [item for item in given if isinstance(item, dict) and "role" in item] if isinstance(given, list) else []


def _words(message: dict[str, Any]) -> str:
    content = message.get("content")
    calls = [call["function"] for call in message.get("tool_calls") or []]
    parts = [f"→ {call['name']}({call['arguments']})" for call in calls]
    if content is None:
        parts.insert(0, "null")
    elif isinstance(content, str):
        parts.insert(0, said(content) if content else '""')
    else:
        texts = (f"“{said(part['text'])}”" if "text" in part else f"<{part['type']}>" for part in content)
        parts.insert(0, " ".join(texts))
    return " ".join(parts)


def said(text: str) -> str:
    """`text` without its directives to the simulator; if nothing would be left, the texts of the directives."""
    return _DIRECTIVE.sub("", text) or revealed(text)


def revealed(text: str) -> str:
    """`text` with each directive replaced by its own text, as a person would see it in a picture."""
    return _DIRECTIVE.sub(lambda directive: directive[1], text)
