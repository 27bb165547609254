"""Items that chat has no message for, said in words. What there is: docs/facts/responses.md#items."""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from .. import in_words

SUMMARISE: Final = (
    "Write a summary of this conversation for another model that takes over from here and sees nothing else of it. "
    "Say what the user wants and what was decided, what has been done and with which result, which files, commands "
    "and facts matter, what failed and why, and what is to be done next. Answer with the summary alone, in the "
    "language of the conversation."
)
"""What the user says where the client asks for a summary that takes the place of the history."""
_OWN: Final = frozenset(["type", "id", "status", "caller", "fingerprint", "container_id", "call_id", "agent"])
"""Fields of an item that say nothing to a model."""


def summary(text: str) -> str:
    """What the user says of a history that a summary stands for."""
    return f"The conversation so far, summarised by the model that led it:\n\n{text}"


def skills(listed: list[Any]) -> str:
    """What the description of a shell says of the skills that its machine has."""
    lines = [
        f"- {skill.get('name')} ({skill.get('path')}): {skill.get('description')}"
        for skill in listed
        if isinstance(skill, dict)
    ]
    return "\n".join(["Instructions for special tasks stand in files on that machine:", *lines]) if lines else ""


def unreadable_summary() -> str:
    """The same where the summary is another vendor's, which only that vendor can read."""
    return "[Earlier parts of this conversation are in a form that can't be read here.]"


def found(names: list[str]) -> str:
    """What a search for tools found; their schemas are sent from now on."""
    return "\n".join(in_words.available(name) for name in names) or "No tool was found."


def uncalled(name: object) -> str:
    """What stands before the output of a tool that nothing in the request has called."""
    return f"Output of {name}:" if isinstance(name, str) and name else "Output of a tool:"


def approval(item: JsonObject) -> str:
    """An `mcp_approval_response`."""
    said = "approved" if item.get("approve") is True else "not approved"
    reason = item.get("reason")
    return f"[{said}: {reason}]" if isinstance(reason, str) and reason else f"[{said}]"


def server_item(item: JsonObject) -> str:
    """An item of a tool that its vendor ran: what was asked, and what came of it."""
    kind = str(item.get("type"))
    said = {key: value for key, value in item.items() if key not in _OWN and value not in (None, [], "")}
    if kind == "web_search_call":
        return _web_search(item.get("action"))
    if kind == "program":
        return f"[ran a program: {_text(item.get('code'))}]"
    if kind == "program_output":
        return f"[the program gave: {_text(item.get('result'))}]"
    return f"[{kind.removesuffix('_call')}: {in_words.as_json(said)}]"


def _web_search(given: object) -> str:
    """What was looked for or opened in the web: no JSON, which a model might write itself instead of searching."""
    action: dict[str, Any] = given if isinstance(given, dict) else {}
    if action.get("type") == "open_page":
        return f"[opened {_text(action.get('url'))}]"
    if action.get("type") == "find_in_page":
        return f"[looked for {_text(action.get('pattern'))} in {_text(action.get('url'))}]"
    listed, sources = action.get("queries"), action.get("sources")
    queries = [query for query in listed if isinstance(query, str)] if isinstance(listed, list) else []
    if not queries and isinstance(action.get("query"), str):
        queries = [action["query"]]
    pages = [page["url"] for page in sources if _has_url(page)] if isinstance(sources, list) else []
    asked = f" for {'; '.join(queries)}" if queries else ""
    return "\n".join([f"[searched the web{asked}]", *pages])


def _has_url(page: object) -> bool:
    return isinstance(page, dict) and isinstance(page.get("url"), str)


def shell_output(given: list[Any]) -> str:
    """The output of a `shell_call`: what each command wrote, and how it ended where that isn't well."""
    lines: list[str] = []
    for one in given:
        if not isinstance(one, dict):
            lines.append(_text(one))
            continue
        lines += [text for name in ("stdout", "stderr") if isinstance(text := one.get(name), str) and text]
        outcome = one.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "timeout":
            lines.append("[timed out]")
        elif isinstance(outcome, dict) and outcome.get("exit_code") not in (None, 0):
            lines.append(f"[exit code {in_words.as_json(outcome['exit_code'])}]")
    return "\n".join(lines)


def _text(value: object) -> str:
    return value if isinstance(value, str) else in_words.as_json(value)
