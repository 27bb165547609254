"""Plug-ins that tests make: as files, and as parts that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hunyuan_fix import options, pipeline
from hunyuan_fix.cli.lint.verdict import Offline
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.options import Settings
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.plugins import Change, Outcome, Plugin, Response, Rule, RuleContext, Step
from hunyuan_fix.plugins.failures import Failures
from hunyuan_fix.plugins.made import Loaded, Plugins

HEAD = "from hunyuan_fix.plugins import *\n"
SECRET = "sk-a-secret-of-the-conversation"
"""What failing parts raise with: it must be nowhere."""


def file(folder: Path, text: str, name: str = "mine.py") -> str:
    """A plug-in's file, to be named in the option."""
    (folder / name).write_text(HEAD + text, encoding="utf-8")
    return str(folder / name)


def made(*plugins: Plugin) -> Plugins:
    """These plug-ins, as if they were loaded."""
    return Plugins("test", tuple(Loaded(plugin, plugin.name) for plugin in plugins))


def settings(*plugins: Plugin, **more: str) -> Settings:
    given = options.parse({f"hunyuan_{name}": value for name, value in more.items()})
    object.__setattr__(given, "plugins", made(*plugins))
    pipeline.check(given)
    return given


class Ran:
    """A chat request through all steps, with `plugins` among them; no call is made."""

    def __init__(self, *plugins: Plugin, profile: str = "tokenhub") -> None:
        self.settings = settings(*plugins)
        self.runtime = Offline()
        self.pipeline = Pipeline(self.settings, self.runtime)
        self.exchange = Exchange(profile=profile, dialect="chat", spoken="chat")

    @property
    def failures(self) -> Failures:
        return self.runtime.plugin_failures

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        return {(plugin, part): count for (plugin, part), count in self.failures.counts.items()}

    async def request(self, *contents: Any) -> Response | None:
        roles = ("user", "assistant")
        messages = [{"role": roles[at % 2], "content": content} for at, content in enumerate(contents or ("hi",))]
        self.exchange.chat = {"model": "hy3", "messages": messages}
        return await self.pipeline.request(self.exchange)

    @property
    def texts(self) -> list[Any]:
        return [message["content"] for message in self.exchange.chat["messages"]]


class Says(Step):
    """Puts `word` behind the last message."""

    def __init__(self, name: str, word: str = "", **place: Any) -> None:
        self.name = name
        self.word = word or name
        for key, value in place.items():
            setattr(self, key, value)

    async def request(self, exchange: Exchange) -> Response | None:
        message = exchange.chat["messages"][-1]
        message["content"] = f"{message['content']} {self.word}"
        return None


class Fails(Step):
    """Changes half of everything, and raises."""

    name = "fails"

    async def request(self, exchange: Exchange) -> Response | None:
        exchange.chat["messages"][-1]["content"] = "half"
        exchange.chat.pop("model")
        exchange.note([Change(self.name, "", "half")])
        await asyncio.sleep(0)
        raise ValueError(SECRET)

    def answer(self, exchange: Exchange, answer: JsonObject) -> None:
        answer.clear()
        answer["half"] = True
        raise KeyError(SECRET)

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        chunk["choices"] = "half"
        yield chunk
        raise TypeError(SECRET)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        raise SystemExit(SECRET)


def rule(
    name: str, apply: Callable[[JsonObject, RuleContext], Sequence[Change]], after: tuple[str, ...] = ("parts",)
) -> Rule:
    return Rule(name, "It is for a test.", "It is a test.", apply, after)
