"""Web search for models that have none: the model asks for searches, a program of the user's finds, the model answers.

A dialect that knows such a tool of its vendor's offers it to the model as a function, and leaves in its note what was
asked for. Here the calls of that function are answered, until the model has what it needs.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Final

from .. import profiles
from ..dialects.searching import FOUND, WANTED, WEB_SEARCH, Found, Search, Wanted
from ..exchange import Change, Exchange, JsonObject, Response
from ..observe.metrics import counter
from ..options import Settings
from ..rules import apply_chat
from ..search import results
from ..search.program import Program, SearchFailed
from ..search.results import Result
from ..upstream.retry import allowed
from ..wire import json_body, rule_names, usage
from .base import PATIENCE, Outcome, Step, StepRuntime
from .rules import context_of, tell_of_failed
from .target import target_of

SEARCHES = counter("hunyuan_searches_total", "Searches of the web, by what came of them.", "outcome")

_USES: Final = 8
"""Searches of one request, where it doesn't say how many: what Claude Code asks for."""
_MOST_USES: Final = 20
"""Searches of one request at most, whatever it says: each starts a program."""
_ROUNDS: Final = 10
"""Calls of the model for one request."""
_TIMEOUT: Final = 100.0
"""Seconds for one call of the model."""
_USED_UP: Final = "max_uses_exceeded"
_UNAVAILABLE: Final = "unavailable"


class WebSearch(Step):
    """Under `hunyuan_mode=observe` nothing is searched."""

    name = rule_names.WEB_SEARCH

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        super().__init__(settings, runtime)
        self._program = Program(settings)
        self.offer = WEB_SEARCH if settings.search_command else ""

    def makes_calls(self, exchange: Exchange) -> bool:
        """A request that may search is answered here."""
        return bool(exchange.notes.get(exchange.dialect, {}).get(WANTED))

    async def request(self, exchange: Exchange) -> Response | None:
        """The model's answer to a request that may search; `None` for any other request."""
        note = exchange.notes.get(exchange.dialect, {})
        wanted: Wanted | None = note.get(WANTED)
        if not wanted:
            return None
        exchange.note([Change(self.name, "/tools", "the model may search the web by hunyuan_search_command")])
        if exchange.mode == "observe":
            return None
        exchange.fails_closed = True
        searches: list[Search] = []
        with exchange.calling():
            answer = await self._converse(exchange, wanted, searches)
        if isinstance(answer, Response):
            return answer
        note[FOUND] = searches
        return Response(200, {"content-type": "application/json"}, json_body.serialise(answer))

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Drop the pages that were found: the answer has what its client gets of them."""
        exchange.notes.get(exchange.dialect, {}).pop(FOUND, None)

    async def _converse(self, exchange: Exchange, wanted: Wanted, searches: list[Search]) -> JsonObject | Response:
        """The last answer of the model, with the usage of all."""
        profile = profiles.load(exchange.profile)
        target = target_of(exchange, profile, self.settings)
        chat: JsonObject = {**exchange.chat, "stream": False, "messages": list(exchange.chat["messages"])}
        chat.pop("stream_options", None)
        until = self.runtime.chat_calls.until(PATIENCE)
        used: list[JsonObject] = []
        for number in count(1):
            if number == _ROUNDS:
                _take_away(chat, wanted["tool"])
            # What the model said is held against the endpoint's rules, as all else.
            context = context_of(exchange, self.settings)
            apply_chat(chat, context)
            tell_of_failed(context, self.settings, self.runtime.plugin_failures)
            sent = await self.runtime.chat_calls.send(
                chat,
                target,
                profile,
                tries=allowed(self.settings.own_tries, profile),
                timeout=_TIMEOUT,
                until=until,
                ahead=number > 1,
            )
            if isinstance(sent, Response):
                return sent
            answer = sent
            used.append(usage.of_answer(answer) or {})
            message = _message(answer)
            calls = [call for call in message.get("tool_calls", ()) if _function(call).get("name") == wanted["tool"]]
            others = [call for call in message.get("tool_calls", ()) if call not in calls]
            messages = await self._search(calls, message, wanted, searches)
            if not calls or others or number == _ROUNDS:
                break
            chat["messages"] += [{**message, "role": "assistant"}, *messages]
            if isinstance(chat.get("tool_choice"), dict) or chat.get("tool_choice") == "required":
                chat["tool_choice"] = "auto"  # it has been followed: else the model would search for ever
        if calls:
            # The client's own calls, if there are any: it answers them before the model goes on.
            message |= {"tool_calls": others, "content": None}
        if any(used):
            answer["usage"] = _sum(used)
        usage.note(exchange, answer.get("usage"))
        return answer

    async def _search(
        self, calls: list[JsonObject], message: JsonObject, wanted: Wanted, searches: list[Search]
    ) -> list[JsonObject]:
        """The tool messages that answer `calls`, which stand in `message`; `searches` grows by as many."""
        content = message.get("content")
        said = content if isinstance(content, str) else ""
        made = sum(search["error"] != _USED_UP for search in searches)
        left = max(0, min(wanted.get("max_uses", _USES), _MOST_USES) - made)
        queries = [_query(call) for call in calls]
        outcomes = await asyncio.gather(*(self._found(query, wanted) for query in queries[:left]))
        outcomes += [_USED_UP] * (len(calls) - len(outcomes))
        messages: list[JsonObject] = []
        for call, query, outcome in zip(calls, queries, outcomes, strict=True):
            number = sum(len(search["found"]) for search in searches)
            pages = [] if isinstance(outcome, str) else outcome
            found = [
                Found(number=number + place, url=page.url, title=page.title, text=page.text, age=page.age)
                for place, page in enumerate(pages, 1)
            ]
            error = outcome if isinstance(outcome, str) else ""
            searches.append(Search(said=said, query=query, found=found, error=error))
            said = ""
            self.runtime.metrics.add(SEARCHES, 1, error or "found")
            messages.append({"role": "tool", "tool_call_id": call.get("id"), "content": _told(found, error)})
        return messages

    async def _found(self, query: str, wanted: Wanted) -> list[Result] | str:
        """What was found for `query`, or why nothing could be."""
        if not query:
            return "invalid_tool_input"
        try:
            found = await self._program.search(query)
        except SearchFailed:
            return _UNAVAILABLE
        return results.allowed(found, wanted.get("allowed_domains", ()), wanted.get("blocked_domains", ()))


def _message(answer: JsonObject) -> JsonObject:
    """The message of the answer's first choice, to be changed in place; an empty one where there is none."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        return {}
    calls = message.get("tool_calls")
    message["tool_calls"] = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    for place, call in enumerate(message["tool_calls"]):
        call.setdefault("id", f"call_{place}")
    return message


def _function(call: JsonObject) -> JsonObject:
    function = call.get("function")
    return function if isinstance(function, dict) else {}


def _query(call: JsonObject) -> str:
    """What a call searches for; `""` where it doesn't say."""
    given: Any = _function(call).get("arguments")
    if isinstance(given, str):
        given = json_body.parse_object(given.encode("utf-8", "replace"))
    query = given.get("query") if isinstance(given, dict) else None
    return query.strip() if isinstance(query, str) else ""


def _told(found: list[Found], error: str) -> str:
    """What the model is told of a search."""
    if error:
        return f"Error: {error}. Answer with what you know, and say that the search failed."
    if not found:
        return "Nothing was found."
    pages = [
        "\n".join(filter(None, [f"[{page['number']}] {page['title']}", page["url"], page["age"], page["text"]]))
        for page in found
    ]
    return "\n\n".join(["Cite what you use by its number, as in [1].", *pages])


def _take_away(chat: JsonObject, tool: str) -> None:
    """Take the function away: the model has to answer now."""
    chat["tools"] = [offered for offered in chat.get("tools", ()) if _function(offered).get("name") != tool]
    chat["tool_choice"] = "auto"
    if not chat["tools"]:
        del chat["tools"], chat["tool_choice"]


def _sum(usages: list[JsonObject]) -> JsonObject:
    """The counts of several calls, as those of one."""
    total: JsonObject = {}
    for used in usages:
        for key, counted in used.items():
            if isinstance(counted, dict):
                total[key] = _sum([total.get(key) or {}, counted])
            elif isinstance(counted, int) and isinstance(total.get(key, 0), int):
                total[key] = total.get(key, 0) + counted
    return total
