"""An answer that was asked for as JSON is JSON, or says that it isn't (`hunyuan_json`, `x-hunyuan-json`).

What is cut off and respelt: `answers.json_repair`. The rules may say in words what was asked for, so that one step
notes it before them, and another looks at the answer: the first of all, so that those that keep answers keep what the
client gets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from .. import profiles, texts
from ..answers.json_repair.asked import DONE, Asked, Judged
from ..answers.json_repair.held import HeldAnswer
from ..answers.json_repair.repair import Wanted
from ..answers.json_repair.settings import CODE
from ..answers.whole import is_cut
from ..exchange import AnswerPlan, Change, Exchange, JsonObject, Response
from ..observe.metrics import counter
from ..options import Settings
from ..rules import apply_chat
from ..rules.base import RuleContext
from ..wire import json_body, rule_names
from .base import Outcome, Step
from .target import target_of

ANSWERS = counter(
    "hunyuan_json_answers_total", "Answers that were to be JSON or a code block, by what came of them.", "verdict"
)
"""`verdict`: `valid`, `repaired`, `invalid`."""
ARGUMENTS = counter(
    "hunyuan_json_arguments_total", "What was respelt in the arguments of tool calls, by what was done.", "what"
)
"""`what`: the keys of `DONE`."""

ASKED = counter(
    "hunyuan_json_asked_total", "Answers for which a model was asked once more, by what came of it.", "outcome"
)
"""`outcome`: `helped`, `invalid` (the second answer is no better), `failed`."""

_FOR_STREAMS: Final = ("stream", "stream_options", "n")
_PATIENCE: Final = 100.0
"""Seconds for the call that asks once more."""
_WAIT: Final = 30.0
"""Seconds that it waits for its slot."""
_FORMATS: Final = ("json_object", "json_schema")
_MOST_TOOLS: Final = 512 * 1024
"""Bytes of the tools' schemas."""


def needs_chat(exchange: Exchange, settings: Settings, body: JsonObject) -> bool:
    """Whether a request in another format than chat has to be translated, so that its answer can be looked at."""
    wish = exchange.json_wish or settings.json
    if wish == "off" or exchange.mode == "observe":
        return False
    return bool(exchange.json_wish) or _format_of(body) in _FORMATS


class JsonAsked(Step):
    """Before the rules, which may say in words what was asked for."""

    name = rule_names.JSON

    async def request(self, exchange: Exchange) -> Response | None:
        """Note what the answer has to be, and put in the word that some endpoints demand."""
        wish = exchange.json_wish or self.settings.json
        if wish == "off" or exchange.mode == "observe":
            return None
        chat = exchange.chat
        asked = Asked(language=wish.removeprefix(CODE) if wish.startswith(CODE) else "")
        form = chat.get("response_format")
        kind = form.get("type") if isinstance(form, dict) else None
        asked.is_content = bool(exchange.json_wish) or kind in _FORMATS
        profile = profiles.load(exchange.profile)
        # A plan's terms forbid calls that nobody waits for: there it has to be said twice.
        is_said = not profile.plan or self.settings.json == exchange.json_wish == "ask"
        asked.may_ask = asked.is_content and wish == "ask" and is_said
        if not asked.language:
            asked.wanted, asked.schema = _wanted(form) if isinstance(form, dict) else ("any", None)
            asked.tools = _schemas(chat)
        if not asked.is_content and asked.tools is None:
            return None
        exchange.json = asked
        if kind == "json_object" and profile.json_word and not _says_json(chat["messages"]):
            self._put_in(exchange)
        return None

    def _put_in(self, exchange: Exchange) -> None:
        """Put the word in at the end of the last user or system message."""
        messages = exchange.chat["messages"]
        word = texts.load(texts.language_of(self.settings.language)).json_object
        for place in range(len(messages) - 1, -1, -1):
            message = messages[place]
            if not isinstance(message, dict) or message.get("role") not in ("user", "system", "developer"):
                continue
            content = message.get("content")
            if isinstance(content, str):
                content = f"{content}\n\n{word}" if content else word
            elif isinstance(content, list):
                content = [*content, {"type": "text", "text": word}]
            else:
                continue
            messages[place] = {**message, "content": content}
            why = "the endpoint demands the word JSON in a message where JSON is asked for"
            exchange.note([Change(self.name, f"/messages/{place}/content", why)])
            return


class JsonAnswers(Step):
    """Behind all steps that look at answers as their clients get them."""

    name = rule_names.JSON_ANSWER

    async def request(self, exchange: Exchange) -> Response | None:
        """Keep the fence, which would be taken off piece by piece, until the answer is there as a whole."""
        asked: Asked | None = exchange.json
        if asked is None or not asked.is_content:
            return None
        exchange.plan.json_fence = False
        if asked.may_ask:
            chat = {key: value for key, value in exchange.chat.items() if key not in _FOR_STREAMS}
            asked.question = await self.runtime.workers.run(lambda _: json_body.serialise(chat), exchange.cost // 4)
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Look at the texts and the calls of a whole answer."""
        asked: Asked | None = exchange.json
        choices = answer.get("choices")
        if asked is None or not isinstance(choices, list):
            return False
        changed = False
        for place, choice in enumerate(choices):
            message = choice.get("message") if isinstance(choice, dict) else None
            if isinstance(message, dict):
                changed = _look_at(asked, choice, message, place) or changed
        self._note(exchange, asked)
        return changed

    def watches(self, exchange: Exchange) -> bool:
        """Whether something was asked of the answer."""
        return exchange.json is not None

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """Hold back what is to be looked at as a whole."""
        asked: Asked | None = exchange.json
        if asked is None:
            return (chunk,)
        chunks = _held(exchange, asked).feed(chunk)
        self._note(exchange, asked)
        return chunks

    def last_chunks(self, exchange: Exchange) -> Iterable[JsonObject]:
        """What is still held back of an answer that ends."""
        asked: Asked | None = exchange.json
        if asked is None or asked.held is None:
            return ()
        chunks = _held(exchange, asked).last()
        self._note(exchange, asked)
        return chunks

    def waits(self, exchange: Exchange) -> bool:
        """Whether the model is to be asked once more."""
        return exchange.json is not None and exchange.json.wrong is not None

    async def ask_again(self, exchange: Exchange) -> None:
        """Ask the model once more, and keep its second answer if it is what was asked for."""
        asked: Asked | None = exchange.json
        if asked is None or asked.wrong is None:
            return
        wrong, chat = asked.wrong, json_body.parse_object(asked.question) or {}
        again = texts.load(texts.language_of(self.settings.language)).json_again.format(error=wrong.error)
        said = [{"role": "assistant", "content": wrong.text}] if wrong.text.strip() else []
        chat["messages"] = [*chat.get("messages", ()), *said, {"role": "user", "content": again}]
        profile = profiles.load(exchange.profile)
        if "tools" in chat and "none" in profile.tool_choices:
            chat["tool_choice"] = "none"
        if isinstance(exchange.demands, RuleContext):
            apply_chat(chat, replace(exchange.demands, plan=AnswerPlan()))
        calls = self.runtime.chat_calls
        with exchange.calling():
            sent = await calls.send(
                chat,
                target_of(exchange, profile, self.settings),
                profile,
                purpose="json",
                tries=1,
                timeout=_PATIENCE,
                until=calls.until(_WAIT),
                ahead=True,
            )
        second = _text_of(sent) if not isinstance(sent, Response) else None
        judged = None if second is None else asked.judged(second, is_cut=False)
        if judged is not None and judged.verdict != "invalid":
            asked.second[wrong.place] = replace(judged, verdict="repaired", done=("asked", *judged.done))
        outcome = "failed" if judged is None else "invalid" if judged.verdict == "invalid" else "helped"
        self.runtime.metrics.add(ASKED, 1, outcome)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Count what came of the answer."""
        asked: Asked | None = exchange.json
        exchange.json = None
        if asked is None:
            return
        if asked.verdict is not None:
            self.runtime.metrics.add(ANSWERS, 1, asked.verdict)
        for what, count in asked.fitted.items():
            self.runtime.metrics.add(ARGUMENTS, count, what)

    def _note(self, exchange: Exchange, asked: Asked) -> None:
        """Note what was done that isn't noted yet, and the verdict."""
        exchange.json_said = asked.said
        done = [*(what for judged in asked.verdicts for what in judged.done)]
        exchange.note([Change(self.name, "", DONE[what]) for what in asked.unnoted(self.name, done)])
        exchange.note(
            [
                Change(rule_names.JSON_ARGUMENTS, "", DONE[what])
                for what in asked.unnoted(rule_names.JSON_ARGUMENTS, list(asked.fitted))
            ]
        )


def _format_of(body: JsonObject) -> object:
    """The type of the format that a request to Messages or Responses asks for."""
    places = (body.get("output_config"), {"format": body.get("output_format")}, body.get("text"))
    forms = [place.get("format") for place in places if isinstance(place, dict)]
    return next((form.get("type") for form in forms if isinstance(form, dict)), None)


def _look_at(asked: Asked, choice: JsonObject, message: JsonObject, place: int) -> bool:
    """Look at a whole message; whether it was changed."""
    changed, cut = False, is_cut(choice.get("finish_reason"))
    calls = message.get("tool_calls")
    called: list[Any] = [call.get("function") for call in calls if isinstance(call, dict)] if calls else []
    called.append(message.get("function_call"))
    functions = [function for function in called if isinstance(function, dict)]
    for function in functions if not cut else ():
        given = function.get("arguments")
        if isinstance(given, str):
            function["arguments"] = asked.arguments(str(function.get("name")), given)
            changed = changed or function["arguments"] != given
    content = message.get("content")
    if asked.is_content and not functions and (isinstance(content, str) or content is None):
        judged: Judged = asked.judge(content or "", place, is_cut=cut)
        if judged.text != (content or ""):
            message["content"], changed = judged.text, True
            choice.pop("logprobs", None)
    return changed


def _text_of(answer: JsonObject) -> str | None:
    """The text of an answer that has one and ended by itself."""
    choice = next(iter(answer.get("choices") or ()), None)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict) or is_cut(choice.get("finish_reason")):
        return None
    return text if isinstance(text := message.get("content"), str) and not message.get("tool_calls") else None


def _held(exchange: Exchange, asked: Asked) -> HeldAnswer:
    if asked.held is None:
        asked.held = HeldAnswer(asked)
    held: HeldAnswer = asked.held
    return held


def _wanted(form: JsonObject) -> tuple[Wanted, bytes | None]:
    """The kind of JSON that a `response_format` asks for, and its schema."""
    if form.get("type") == "json_object":
        return "object", None
    nested = form.get("json_schema")
    schema = (nested if isinstance(nested, dict) else form).get("schema")  # flat: the Responses API's form
    if form.get("type") != "json_schema" or not isinstance(schema, dict):
        return "any", None
    kind = schema.get("type")
    wanted: Wanted = "array" if kind == "array" else "object" if kind == "object" else "any"
    return wanted, json_body.serialise(schema)


def _schemas(chat: JsonObject) -> bytes | None:
    """The schemas of the offered tools, by their names; `None`: there are none, or they are too large."""
    named: JsonObject = {}
    for key in ("tools", "functions"):
        offered = chat.get(key)
        for tool in offered if isinstance(offered, list) else ():
            function = tool.get("function", tool) if isinstance(tool, dict) else None
            if isinstance(function, dict) and isinstance(function.get("name"), str):
                named[function["name"]] = function.get("parameters") or {}
    written = json_body.serialise(named) if named else b""
    return written if 0 < len(written) <= _MOST_TOOLS else None


def _says_json(messages: list[Any]) -> bool:
    """Whether some message has the word."""
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        for part in parts:
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str) and "json" in text.lower():
                return True
    return False
