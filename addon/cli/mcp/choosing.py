"""Which request or session a question is about: an agent knows its id rarely, and asks for "the last one"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ... import session
from ...exchange import JsonObject
from ...wire import user_agents
from . import plain
from .admin_api import AdminApi, NotThere, Unanswered, segment

ANY: Final = "any"
"""As `program`: requests of every program."""
_PAGE: Final = 250
_MOST_PAGES: Final = 4
"""Of the exchanges that are looked through for one question: all that a proxy keeps."""
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")

type Fits = Callable[[JsonObject], bool]


@dataclass(slots=True)
class Asked:
    """A question: of which program, with which arguments."""

    api: AdminApi
    values: Mapping[str, Any]
    program: str = ""
    """The program that asks, by the names that the proxy has for them; `""`: it isn't known."""

    def value(self, name: str) -> str:
        """An argument that is a text, without blanks around it; `""`: it wasn't given."""
        given = self.values.get(name)
        return given.strip() if isinstance(given, str) else ""


@dataclass(slots=True)
class Chosen:
    """What was found, the newest first, and what was considered, in a sentence."""

    found: list[JsonObject]
    considered: str = ""


def program_of(client: str) -> str:
    """The program whose MCP client calls itself `client`; `""`: none that the proxy knows.

    `claude-code`, `codex-mcp-client`, `Qwen Code`: the longest known name that is in it as words.
    """
    words = re.sub(r"[^a-z0-9]+", "-", client.lower()).strip("-")
    found = [name for name in {*user_agents.names()} if f"-{name}-" in f"-{words}-"]
    return max(found, key=len, default="")


async def exchanges(asked: Asked, fits: Fits, most: int, **filters: object) -> Chosen:
    """The newest exchanges that fit, at most so many: of the session, client and model that are asked for; without any
    of these, of the program that asks, if it has sent any.
    """
    program = asked.value("program")
    named = {name: asked.value(name) for name in ("client", "session", "model")}
    if named["session"]:
        named["session"] = digest(named["session"])
    is_guessed = not program and not any(named.values()) and bool(asked.program)
    if is_guessed:
        program = asked.program
    if program == ANY:
        program = ""

    found: list[JsonObject] = []
    of_others: list[JsonObject] = []
    before = ""
    looked = 0
    for _ in range(_MOST_PAGES):
        try:
            page = await asked.api.get("/api/exchanges", limit=_PAGE, before=before, **named, **filters)
        except NotThere as error:
            if error.is_path:
                raise old("/api/exchanges") from None
            break  # the last one of the page before is forgotten by now
        for exchange in plain.records(page.get("exchanges")):
            looked += 1
            if fits(exchange):
                (found if not program or exchange.get("program") == program else of_others).append(exchange)
        next_page = page.get("next")
        if len(found) >= most or not isinstance(next_page, str) or not next_page:
            break
        before = next_page
    if is_guessed and not found and of_others:
        said = f"None of {program}, the program that asks, among the last {looked}: those of every program."
        return Chosen(of_others[:most], said)
    if is_guessed:
        said = f'Of {program}, the program that asks, alone; program="{ANY}" asks for all.'
        return Chosen(found[:most], said)
    return Chosen(found[:most])


async def one(asked: Asked, fits: Fits, what: str, best: Callable[[JsonObject], float] | None = None) -> Chosen:
    """The exchange with the id that is asked for; without one the newest that fits, or the one with the most of `best`.

    `what` says in words what was looked for. Raises `Unanswered` where there is none.
    """
    id = asked.value("id")
    if id and not id.lower().startswith(("last", "slowest")):
        try:
            answer = await asked.api.get(f"/api/exchanges/{segment(id)}")
        except NotThere as error:
            if error.is_path:
                raise old("/api/exchanges") from None
            raise Unanswered(
                f"The proxy has no request with the id {plain.text(id, 64)!r} any more, or never had. "
                "last_requests lists those that it remembers."
            ) from None
        return Chosen([plain.record(answer.get("exchange"))])
    chosen = await exchanges(asked, fits, 1 if best is None else _PAGE)
    if not chosen.found:
        raise Unanswered(f"There is no {what} among the requests that the proxy remembers. {chosen.considered}".strip())
    if best is not None:
        chosen.found = [max(chosen.found, key=best)]
    return chosen


def is_call(exchange: JsonObject) -> bool:
    """A call of a model that is over: no list of models, no request that the proxy only passed through."""
    return bool(exchange.get("over")) and bool(plain.text(exchange.get("model")))


def has_failed(exchange: JsonObject) -> bool:
    """Its client got an error, or no answer."""
    if not exchange.get("over") or exchange.get("left") is True:
        return False
    is_refused = plain.text(exchange.get("how")) in ("refused", "failed")
    return bool(exchange.get("error")) or is_refused or plain.number(exchange.get("status")) >= 400


def digest(given: str) -> str:
    """The session as the proxy names it, from that, or from the id that its client has for it."""
    return given if _DIGEST.fullmatch(given) else session.digest(given)


def old(path: str) -> Unanswered:
    """For a proxy that doesn't have `path`."""
    return Unanswered(
        f"The proxy that runs is of an older hunyuan-fix: it has no {path}. Update it and start it again."
    )
