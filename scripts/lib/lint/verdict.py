"""What the endpoint would say to a request, and what the addon would make of it. No network, no mitmproxy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hunyuan_fix import pipeline, profiles
from hunyuan_fix.cascade import Cascade
from hunyuan_fix.config.options import Settings
from hunyuan_fix.exchange import Endpoint, JsonObject
from hunyuan_fix.pipeline import Outcome
from hunyuan_fix.rules.context import RuleContext
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import Problem, ProfileName
from hunyuan_fix.upstream.target import Target
from hunyuan_fix.vision.vision_call import DryRunVision
from hunyuan_fix.wire import json_body
from hunyuan_fix.wire.host_names import canonical
from hunyuan_fix.workers import Workers
from scripts.lib.lint.reading import Request


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of one request."""

    request: Request
    profile: ProfileName
    refused: list[Problem]
    """Why the endpoint would refuse the body as it came."""
    outcome: Outcome
    """What the addon would do. Its vision calls are only announced."""
    bodies: list[JsonObject]
    """What would be sent: several for embeddings in batches, none where the addon answers itself. Plain JSON."""
    still_refused: list[Problem]
    """Why the endpoint would refuse what is sent."""

    @property
    def model(self) -> str:
        """The model of the request as it came; empty if it names none."""
        model = self.request.body.get("model") if isinstance(self.request.body, dict) else None
        return model if isinstance(model, str) else ""

    @property
    def clean(self) -> bool:
        """The endpoint takes the body as it is, and the addon leaves it alone."""
        return not self.refused and not self.outcome.changes and len(self.bodies) == 1


def judge(request: Request, settings: Settings, *, rerouted: bool) -> Verdict:
    """The verdict on `request`, whose body is left as it is.

    Where `settings` name no profile it is that of the request's host, and TokenHub's if the request is `rerouted`
    to it (its retired models are mapped then).
    """
    profile = _profile(request.host, settings, rerouted=rerouted)
    refused = _problems(request.body, request.endpoint, profile)
    # A body that goes in is changed in place. Copied as text: `copy.deepcopy` is slow, and recursive.
    body = json_body.parse(json_body.serialise(request.body))
    if not pipeline.repairable(body, request.endpoint):
        return Verdict(request, profile, refused, Outcome(), [body], refused)
    context = pipeline.context_of(body, profile, settings, rerouted=rerouted)
    outcome = pipeline.embed(body, context) if request.endpoint == "embeddings" else _chat(body, context, settings)
    bodies = [] if outcome.refusal else outcome.batches or [body]
    still_refused = [problem for sent in bodies for problem in _problems(sent, request.endpoint, profile)]
    return Verdict(request, profile, refused, outcome, bodies, still_refused)


def _chat(body: JsonObject, context: RuleContext, settings: Settings) -> Outcome:
    async def run() -> Outcome:
        cascade = Cascade(DryRunVision())
        cascade.configure(pipeline.cascade_settings(settings))
        size = len(json_body.serialise(body))
        return await pipeline.chat(
            body, context, settings, cascade, Target("", {}), workers=Workers(), size=size, cost=0
        )

    return asyncio.run(run())


def _problems(body: object, endpoint: Endpoint, profile: ProfileName) -> list[Problem]:
    if endpoint == "chat":
        return list(checks.all_problems(body, profile, strict=True))
    problem = checks.embedding_problems(body, profile, strict=True)
    return [] if problem is None else [problem]


def _profile(host: str, settings: Settings, *, rerouted: bool) -> ProfileName:
    name = settings.profile or ("tokenhub" if rerouted else profiles.host_profiles().get(canonical(host)))
    return "tokenhub" if name == "tokenhub" else "hunyuan"
