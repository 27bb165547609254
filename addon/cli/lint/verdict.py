"""The verdict on one request: why the endpoint would refuse it, what the addon changes. No network, no mitmproxy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ... import pipeline, prediction, profiles
from ...access.call_keys import CallKeys
from ...answer_cache.kept import CachedAnswers
from ...answer_cache.recordings import NoRecording
from ...budgets.spending import Spending
from ...cascade import Cascade
from ...dialects import DIALECTS, native
from ...dialects.base import BadRequest
from ...embeddings.vectors import KeptVectors
from ...exchange import Exchange, JsonObject, Response
from ...kept import KeepSettings
from ...kept.answers import KeptAnswers
from ...kept.reasoning import KeptReasoning
from ...masking.masked import CleanTexts
from ...masking.placeholders import Placeholders
from ...observe.metrics import Metrics
from ...observe.prompt_cache import PromptCacheLedger
from ...options import Settings
from ...pipeline import Pipeline
from ...plugins.failures import Failures
from ...route import is_translated
from ...rules import embeddings
from ...rules.explained import Explanation
from ...runaway.memory import RunawayMemory
from ...simulator.checks import Problem
from ...steps.rules import context_of
from ...stores import Chain, Memory
from ...upstream.calls import Calls
from ...upstream.chat_calls import ChatCalls
from ...upstream.client import HttpClient
from ...upstream.embedding_batches import EmbeddingBatches
from ...views.places import Place, original_and_final
from ...vision.vision_call import DryRunVision
from ...wire import json_body, paths, proxy_errors
from ...wire.host_names import canonical
from ...workers import Workers
from .reading import Request

TARGET = "tokenhub"
"""The profile of the platform that requests go to unless their host or the user names another."""


class Offline:
    """A runtime for steps that sends nothing: in a dry run no vision model is asked and no batch is sent."""

    def __init__(self) -> None:
        self.workers = Workers()
        self.metrics = Metrics()
        self.cascade = Cascade(DryRunVision())
        calls = Calls(HttpClient())
        self.batches = EmbeddingBatches(calls)
        self.chat_calls = ChatCalls(calls)
        self.call_keys = CallKeys()
        self.chain = Chain(Memory(entries=0, size=0))
        self.kept = KeptAnswers(KeepSettings())
        self.reasoning = KeptReasoning(KeepSettings(), self.kept.chain)
        self.prompt_cache = PromptCacheLedger()
        self.runaway = RunawayMemory()
        self.vectors, self.answers, self.recordings = KeptVectors(), CachedAnswers(), NoRecording()
        self.spending = Spending()
        self.placeholders, self.clean_texts = Placeholders(), CleanTexts()
        self.plugin_failures = Failures()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one request."""

    request: Request
    profile: str
    refused: list[Problem]
    """Why the endpoint would refuse the body, or its translation if it is in another format, before any change.

    Empty if the simulator doesn't know the profile, and where the endpoint speaks another format itself.
    """
    exchange: Exchange
    """What the addon would do, as a dry run finds it: its vision calls are only counted."""
    answer: Response | None
    """What the addon would answer itself."""
    bodies: list[JsonObject]
    """What would be sent: several for embeddings in batches, none where the addon answers itself. Plain JSON."""
    still_refused: list[Problem]
    """Why the endpoint would refuse what is sent."""
    added: Mapping[str, Explanation] = field(default_factory=dict)
    """What plug-ins do, by the names of their changes."""

    @property
    def places(self) -> list[Place]:
        """Of each change, where its place was in the body as it came, and where it is in what is sent first."""
        self.exchange.original, self.exchange.rewritten = json_body.serialise(self.request.body), True
        return original_and_final(self.exchange, json_body.serialise(self.bodies[0]) if self.bodies else b"")

    @property
    def model(self) -> str:
        """The model that the client asked for; empty if it named none."""
        model = self.request.body.get("model") if isinstance(self.request.body, dict) else None
        return model if isinstance(model, str) else ""

    @property
    def overlong(self) -> JsonObject | None:
        """`estimated` tokens and `limit`, where the input is past the model's."""
        return self.exchange.notes.get("overlong")

    @property
    def is_judged(self) -> bool:
        """Whether it is known what the endpoint accepts. Of a format that it speaks itself beside chat it isn't."""
        return DIALECTS[self.exchange.dialect].house != "native"

    @property
    def clean(self) -> bool:
        """Whether the endpoint accepts the body and the addon doesn't change it."""
        return not self.refused and not self.exchange.changes and len(self.bodies) == 1


def judge(request: Request, settings: Settings, *, rerouted: bool) -> Verdict:
    """The verdict on `request`, whose body isn't changed.

    If `settings` name no profile, the profile is that of the request's host. Where the host isn't known, or the request
    is `rerouted`, it is sent as `hunyuan-fix run` sends it: to TokenHub, and its retired models are mapped.
    """
    return replace(_judged(request, settings, rerouted=rerouted), added=settings.plugins.explanations())


def _judged(request: Request, settings: Settings, *, rerouted: bool) -> Verdict:
    addressed = profiles.at(canonical(request.host), paths.normal(request.path))
    rerouted = rerouted or not (settings.profile or addressed)
    profile = settings.profile or (TARGET if rerouted else addressed) or TARGET
    dialect = DIALECTS[request.dialect]
    # Steps change a body in place. It is copied as text, because `copy.deepcopy` is slow and recursive.
    data = json_body.serialise(request.body)
    body = json_body.parse(data)
    exchange = Exchange(profile=profile, dialect=request.dialect, successors=rerouted, mode="observe", size=len(data))
    steps = Pipeline(settings, Offline())
    if not dialect.is_house and not is_translated(dialect.name, profiles.load(profile), settings.translate):
        verdict = _in_its_format(request, exchange, body, settings, steps)
        if verdict is not None:
            return verdict
    if not dialect.is_house:
        try:
            if not isinstance(body, dict):
                raise BadRequest("The request body is not a JSON object: it can't be translated.")
            refusal = asyncio.run(steps.translate(exchange, body, {}))
            body = exchange.chat
        except BadRequest as error:
            refusal = proxy_errors.UNTRANSLATABLE(why=error.message, param=error.param).response()
        if refusal is not None:
            return Verdict(request, profile, [], exchange, refusal, [], [])
    refused = prediction.problems(body, dialect.house, profile)
    if not pipeline.repairable(body, dialect.house):
        return Verdict(request, profile, refused, exchange, None, [body], refused)
    exchange.chat = body
    answer = asyncio.run(steps.request(exchange))
    bodies = [] if answer else [body]
    if not answer and dialect.house == "embeddings":
        bodies = embeddings.batches(body, context_of(exchange, settings))
    still_refused = [problem for sent in bodies for problem in prediction.problems(sent, dialect.house, profile)]
    return Verdict(request, profile, refused, exchange, answer, bodies, still_refused)


def _in_its_format(
    request: Request, exchange: Exchange, body: JsonObject, settings: Settings, steps: Pipeline
) -> Verdict | None:
    """The verdict on a request in another format than chat, for an endpoint that speaks it itself.

    `None`: it is translated all the same.
    """
    profile, spoken = exchange.profile, request.dialect
    own = native(spoken) if settings.translate == "auto" and spoken in profiles.load(profile).native else None
    if own is None or not pipeline.repairable(body, DIALECTS[own].house):
        return Verdict(request, profile, [], exchange, None, [body], [])  # passes untouched
    exchange.dialect, exchange.spoken = own, spoken
    if steps.choose_way(exchange, body):
        return None
    exchange.chat = body
    answer = asyncio.run(steps.request(exchange))
    return Verdict(request, profile, [], exchange, answer, [] if answer else [exchange.chat], [])
