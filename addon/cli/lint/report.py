"""Verdicts as text and as JSON. Neither holds message contents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ... import prediction
from ...columns import width
from ...exchange import Change, JsonObject, Response
from ...rules.explained import explanations
from ...simulator.checks import Problem
from ...texts import sentences, terminal
from ...texts.sentence import in_language
from ...texts.terminal import say
from ...views import folded
from ...views.places import Place
from ...wire import json_body, safe_text
from ..colours import BOLD, CYAN, DIM, GREEN, RED, YELLOW, paint
from .reading import Request, Unreadable
from .verdict import Verdict

CLEAN, CHANGED, UNREADABLE = 0, 1, 2
"""Exit statuses."""

_LONGEST = 200
"""Characters of a client's word (a model, a role, a path) that are shown."""


def status(results: Iterable[Verdict | Unreadable]) -> int:
    """The exit status: the highest of all results."""
    return max((UNREADABLE if isinstance(result, Unreadable) else _status(result) for result in results), default=CLEAN)


def text(results: Sequence[Verdict | Unreadable]) -> Iterator[str]:
    """The report's lines, with a blank line after each request. The reason for a rule is given once."""
    told: set[str] = set()
    for result in results:
        if isinstance(result, Unreadable):
            message = in_language(terminal.language(), result.message)
            yield f"{paint('✗', RED)} {paint(_source(result), BOLD)}: {message}"
        else:
            yield from _verdict(result, told)
        yield ""
    if len(results) > 1:
        yield _sum(results)


def document(results: Sequence[Verdict | Unreadable]) -> JsonObject:
    """The report as one JSON object; `explanations` holds the rules named in it."""
    verdicts = [result for result in results if isinstance(result, Verdict)]
    rules = {change.rule for verdict in verdicts for change in verdict.exchange.changes}
    known = dict(explanations())
    for verdict in verdicts:
        known.update(verdict.added)
    return {
        "status": status(results),
        "requests": [_plain_verdict(verdict) for verdict in verdicts],
        "unreadable": [
            {"source": result.source, "message": result.message} for result in results if isinstance(result, Unreadable)
        ],
        "explanations": {
            rule: {"repairs": explanation.repairs, "why": explanation.why}
            for rule, explanation in known.items()
            if rule in rules
        },
    }


def _status(verdict: Verdict) -> int:
    return CLEAN if verdict.clean else CHANGED


def _sum(results: Sequence[Verdict | Unreadable]) -> str:
    verdicts = [result for result in results if isinstance(result, Verdict)]
    clean = sum(verdict.clean for verdict in verdicts)
    unreadable = len(results) - len(verdicts)
    counts = {"count": len(verdicts), "clean": clean, "others": len(verdicts) - clean}
    if unreadable:
        return say(
            "requests: {count}, of which {clean} clean, {others} not; {bad} unreadable", **counts, bad=unreadable
        )
    return say("requests: {count}, of which {clean} clean, {others} not", **counts)


def _verdict(verdict: Verdict, told: set[str]) -> Iterator[str]:
    profile = say("profile {name}", name=verdict.profile)
    facts = [verdict.request.dialect, verdict.model or say("no model"), profile]
    about = " · ".join(map(_plain, [*facts, verdict.request.host] if verdict.request.host else facts))
    yield f"{paint(_source(verdict.request), BOLD)}  {paint(about, DIM)}"
    if verdict.clean and verdict.is_judged:
        yield _good(say("clean: the endpoint would take it, the addon would leave it as it is"))
    elif verdict.clean:
        yield _good(say("clean: the addon would leave it as it is"))
    elif verdict.refused:
        yield _bad(say("the endpoint would refuse it; reasons: {count}", count=len(verdict.refused)))
        yield from _problems(verdict.refused)
    elif not verdict.is_judged:
        yield _mixed(say("the endpoint speaks this format; how much of it is documented nowhere"))
    else:
        yield _good(say("the endpoint would take it"))
    if verdict.exchange.changes:
        count = len(verdict.exchange.changes)
        said = say(
            "the addon would change it; changes: {count}, by place in the request → in what is sent", count=count
        )
        yield f"{paint('✗', YELLOW)} {said}"
        yield from _changes(verdict, told)
    yield from _overlong(verdict)
    if not verdict.clean:
        yield from _end(verdict)


def _source(of: Request | Unreadable) -> str:
    return _plain(in_language(terminal.language(), of.source))


def _good(said: str) -> str:
    return f"{paint('✓', GREEN)} {said}"


def _bad(said: str) -> str:
    return f"{paint('✗', RED)} {said}"


def _mixed(said: str) -> str:
    return f"{paint('!', YELLOW)} {said}"


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    for said, group in _grouped((_said(problem), problem) for problem in problems).items():
        yield f"    {paint(said, BOLD)}"
        yield from _aligned([prediction.pointer_and_reason(problem) for problem in group])


def _said(problem: Problem) -> str:
    """The endpoint's error, and whether it is only claimed that the endpoint answers so."""
    error = problem.body["error"]
    named = error.get("code") or error.get("type") or ""  # Moonshot's errors have no code
    said = _plain(f"{problem.status} {named} {error['message']}")
    return said if prediction.is_proven(problem) else say("{error} (claimed, not proven)", error=said)


def _changes(verdict: Verdict, told: set[str]) -> Iterator[str]:
    rows = folded.rows(verdict.exchange.changes, verdict.places)
    for rule, group in _grouped((rule, (places, why)) for rule, places, why in rows).items():
        explanation = {**explanations(), **verdict.added}[rule].in_language(terminal.language())
        yield f"    {paint(rule, BOLD, CYAN)}  {explanation.repairs}"
        if rule not in told:
            yield "      " + paint(say("Why: {why}", why=explanation.why), DIM)
            told.add(rule)
        if rule == "cascade" and verdict.exchange.vision_calls:
            yield "      " + _dry_run(verdict.exchange.vision_calls)
        yield from _aligned(group)


def _dry_run(vision_calls: int) -> str:
    return say(
        "vision calls that would be made: {count}. None was: a placeholder stands for each description in the rest of "
        "this report.",
        count=vision_calls,
    )


def _overlong(verdict: Verdict) -> Iterator[str]:
    if verdict.overlong:
        said = say(
            "the input is estimated at {estimated:,} tokens, past the limit of {limit:,} of the model that answers: "
            "the endpoint cuts what is too long from the front, without a word",
            estimated=verdict.overlong["estimated"],
            limit=verdict.overlong["limit"],
        )
        yield _mixed(said)


def _end(verdict: Verdict) -> Iterator[str]:
    """The last lines of a verdict: what is sent after the changes, and whether the endpoint accepts it."""
    if verdict.answer:
        yield _bad(say("nothing would be sent, the addon answers {status}: {message}", **_answer(verdict.answer)))
        return
    if len(verdict.bodies) > 1:
        yield _mixed(say("it would be sent as {count} calls, whose answers are joined", count=len(verdict.bodies)))
    if not verdict.is_judged:
        yield _mixed(say("then it would be sent in its own format"))
    elif not verdict.still_refused:
        yield _good(say("then the endpoint would take it"))
    elif not verdict.exchange.changes:
        yield _mixed(say("the addon can't repair that: it is sent unchanged"))
    else:
        yield _bad(say("then the endpoint would still refuse it; reasons: {count}", count=len(verdict.still_refused)))
        yield from _problems(verdict.still_refused)


def _plain_verdict(verdict: Verdict) -> JsonObject:
    request, exchange = verdict.request, verdict.exchange
    return {
        "source": request.source,
        "endpoint": request.dialect,
        "host": request.host or None,
        "model": verdict.model or None,
        "profile": verdict.profile,
        "clean": verdict.clean,
        "refused": [_plain_problem(problem) for problem in verdict.refused],
        "changes": [
            _plain_change(change, place) for change, place in zip(exchange.changes, verdict.places, strict=True)
        ],
        "vision_calls": exchange.vision_calls,
        "overlong": verdict.overlong,
        "answer": _answer(verdict.answer) if verdict.answer else None,
        "calls": len(verdict.bodies),
        "still_refused": [_plain_problem(problem) for problem in verdict.still_refused],
    }


def _plain_problem(problem: Problem) -> JsonObject:
    pointer, reason = prediction.pointer_and_reason(problem)
    error = problem.body["error"]
    return {
        "pointer": pointer,
        "reason": reason,
        "status": problem.status,
        "code": error.get("code"),
        "message": error["message"],
        "proven": prediction.is_proven(problem),
    }


def _plain_change(change: Change, place: Place) -> JsonObject:
    """`pointer` is the place as its rule found it; `original` and `final`: in what came, and in what is sent."""
    return {
        "rule": change.rule,
        "pointer": change.pointer,
        "original": place.original,
        "final": place.final,
        "why": change.why,
    }


def _answer(refusal: Response) -> JsonObject:
    """The status and the message of an answer that the addon makes itself."""
    return {"status": refusal.status, "message": json_body.parse(refusal.body)["error"]["message"]}


def _aligned(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    language = terminal.language()
    shown = [
        (_plain(pointer) or say("(the body)"), sentences.translated(language, _plain(reason)))
        for pointer, reason in rows
    ]
    column = max(width(pointer) for pointer, _ in shown)
    for pointer, reason in shown:
        yield f"      {pointer}{' ' * (column - width(pointer))}  {reason}".rstrip()


def _grouped[T](pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for name, item in pairs:
        groups[name].append(item)
    return groups


def _plain(text: str) -> str:
    """A client's word, cut to 200 characters, without control characters."""
    return safe_text.line(text, _LONGEST)
