"""`what_broke_the_cache`: the turns of a session, how much of each input was cached, and which message ended that."""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from . import choosing, plain, words
from .admin_api import NotThere, Unanswered, segment
from .choosing import Asked
from .report import Report

_TURNS: Final = 15
"""Turns that are listed: the last ones, and those where it broke."""
_BREAKS: Final = 3
"""Breaks whose messages are shown: the last ones."""
_EXCERPT: Final = 400
_DOERS: Final = {
    "client": "the client changed what it had sent before",
    "hunyuan-fix": "hunyuan-fix changed it",
    "endpoint": "the endpoint didn't keep it, though the prompt begins as before",
}


async def answer(asked: Asked) -> Report:
    """Of the session that is asked for, else of that of the last request."""
    considered, id = "", choosing.digest(asked.value("session")) if asked.value("session") else ""
    if not id:
        chosen = await choosing.one(
            asked, lambda one: choosing.is_call(one) and bool(plain.text(one.get("session"))), "request of a session"
        )
        considered, id = chosen.considered, plain.text(chosen.found[0].get("session"))
    turns, session = await _turns(asked, id)
    report = Report(more=f"All turns: {asked.api.page(f'sessions/{id}')}")
    report.data = {"session": id, "turns": [_row(turn) for turn in turns[-_TURNS:]]}
    report.say(considered)
    broken = [turn for turn in turns if plain.text(_told(turn).get("by"))]
    inputs, cached = (sum(plain.counts(turn.get("usage")).get(kind, 0) for turn in turns) for kind in _KINDS)
    missed = sum(plain.whole(_told(turn).get("missed")) for turn in broken)
    report.data |= {"input": inputs, "cached": cached, "missed": missed}
    report.say(
        f"Session {id}: {words.counted(len(turns), 'turn')}, {inputs:,} tokens of input, {words.share(cached, inputs)} "
        "of them from the prompt cache."
    )
    if session is None:
        report.say("The proxy that runs is too old to tell which message broke a cache.")
    elif not broken:
        report.say("The cache didn't break in any of these turns." + ("" if cached else _NOTHING_CACHED))
    else:
        report.say(
            f"It broke {words.counted(len(broken), 'time')}; {missed:,} tokens had to be read anew. The last first:"
        )
    report.data["breaks"] = []
    for number, turn in enumerate(broken[::-1]):
        await _tell(asked, report, turn, with_messages=number < _BREAKS)
    report.show("The last turns:", *map(_line, turns[-_TURNS:]))
    report.say(f"In the browser: {asked.api.page(f'sessions/{id}')}")
    return report


_KINDS: Final = ("input", "cached")
_NOTHING_CACHED: Final = (
    " No answer tells of cached tokens: the endpoint caches nothing, doesn't say so, or the prompts are too short."
)


async def _turns(asked: Asked, id: str) -> tuple[list[JsonObject], JsonObject | None]:
    """The turns in their order, and the session; `None` in its place where the proxy only has the exchanges."""
    try:
        answer = await asked.api.get(f"/api/sessions/{segment(id)}")
        return plain.records(answer.get("turns")), plain.record(answer.get("session"))
    except NotThere as error:
        if not error.is_path:
            raise Unanswered(
                f"The proxy knows no session {id}. Give the id that a request of it has in last_requests, or the one "
                "that the client itself has for it; or none, for that of the last request."
            ) from None
    page = await asked.api.get("/api/exchanges", session=id, limit=250)
    turns = plain.records(page.get("exchanges"))[::-1]
    if not turns:
        raise Unanswered(f"The proxy remembers no request of a session {id}.")
    return turns, None


async def _tell(asked: Asked, report: Report, turn: JsonObject, *, with_messages: bool) -> None:
    """What broke the cache in a turn; where they are kept with the messages before and now."""
    told = _told(turn)
    by = plain.text(told.get("by"), 40)
    what, pointer = plain.text(told.get("what")), plain.text(told.get("pointer"), 120)
    rules = plain.texts(told.get("rules"))
    id = plain.text(turn.get("id"), 64)
    by_whom = _DOERS.get(by, by) + (f" ({words.listed(rules)})" if rules else "")
    report.show(
        f"- {words.moment(turn.get('at'))} {id}: {what}{f' at {pointer}' if pointer else ''}; {by_whom}; "
        f"{plain.whole(told.get('missed')):,} tokens."
    )
    found: JsonObject = {"id": id, "by": by, "what": what, "pointer": pointer, "rules": rules}
    report.data["breaks"].append(found | {"missed": plain.whole(told.get("missed"))})
    if not with_messages:
        return
    try:
        both = await asked.api.get(f"/api/exchanges/{segment(id)}/cache")
    except Unanswered:
        return
    changed = plain.record(both.get("sent" if by == "hunyuan-fix" else "came") or both.get("came") or both.get("sent"))
    for name, said in (("before", "in the turn before"), ("now", "now")):
        message = plain.record(changed.get(name))
        if excerpt := plain.text(message.get("text"), _EXCERPT):
            role = plain.text(message.get("role"), 20)
            report.show(f"    {said}{f' ({role})' if role else ''}: “{excerpt}”")
            report.data["breaks"][-1][name] = excerpt
    if reason := _WHY_NO_TEXT.get(plain.text(both.get("missing"), 20)):
        report.show(f"    {reason}")


_WHY_NO_TEXT: Final = {
    "content": "(The messages aren't kept, or not any more: `hunyuan_page_content`.)",
    "before": "(The turn before isn't known.)",
}


def _told(turn: JsonObject) -> JsonObject:
    return plain.record(turn.get("prompt_cache"))


def _line(turn: JsonObject) -> str:
    told = _told(turn)
    parts = [
        words.moment(turn.get("at")),
        plain.text(turn.get("id"), 64),
        words.tokens(turn.get("usage")) or words.outcome(turn | {"outcome": turn.get("error")}),
        "broken" if plain.text(told.get("by")) else "",
        "goes on from a summary" if told.get("compacted") else "",
    ]
    return "  ".join(part for part in parts if part)


def _row(turn: JsonObject) -> JsonObject:
    usage = plain.counts(turn.get("usage"))
    return {
        "id": plain.text(turn.get("id"), 64),
        "at": plain.number(turn.get("at")),
        "input": usage.get("input", 0),
        "cached": usage.get("cached", 0),
        "broken_by": plain.text(_told(turn).get("by"), 40),
    }
