"""The rules: a chat or an embeddings request becomes one that the profile accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import profiles, rules, texts
from ..answers import embeddings as packing
from ..answers import leak_forms, tool_calls
from ..dialects import DIALECTS, format_of
from ..exchange import Change, Exchange, JsonObject, Response
from ..mending.learnt import Taught, is_again
from ..observe.metrics import counter
from ..options import Settings
from ..plugins.failures import Failures
from ..rules import embeddings, places
from ..rules.base import RuleContext
from ..texts.marks import tracked
from ..wire import usage
from ..workers import Checkpoint
from .base import Step

PUT_BACK = counter(
    "hunyuan_reasoning_put_back_total", "Messages that got reasoning that they lacked, by where it is from.", "source"
)
"""`kept`: from the answer (the step `reasoning-memory`); `recovered`: found elsewhere in the message; `made_up`:
nothing was known."""


def context_of(exchange: Exchange, settings: Settings) -> RuleContext:
    """What the rules are given beside the body, the same for all steps of an exchange. Its plan is the exchange's."""
    profile = profiles.load(exchange.profile)
    described = profile.model(exchange.chat.get("model"))
    model, taught = described, exchange.taught
    if isinstance(taught, Taught):
        model = taught.model(described, format_of(exchange))
    if "response_format" in model.refused and profile.response_format:
        profile = replace(profile, response_format=False)  # so that it is asked for in words
    known = exchange.demands
    if isinstance(known, RuleContext):
        known.model, known.profile = model, profile  # a step may have changed it
        known.limits_max_tokens |= model.output != described.output
        known.may_hold_images = exchange.may_hold_images
        return known
    dialect = DIALECTS.get(exchange.dialect)
    context = exchange.demands = RuleContext(
        profile=profile,
        model=model,
        texts=tracked(texts.load(texts.language_of(settings.language))),
        max_messages=settings.max_messages or profile.grammar.max_messages,
        text_model=None if settings.cascade == "never" else settings.text_model or profile.text_model,
        keep_params=settings.keep_params,
        rerouted=exchange.successors,
        successors=dict(settings.successors),
        plan=exchange.plan,
        limits_max_tokens=(dialect is not None and not dialect.is_house) or model.output != described.output,
        may_hold_images=exchange.may_hold_images,
        session=exchange.session if exchange.session_named else "",
        added=settings.plugins.rules,
    )
    return context


def tell_of_failed(context: RuleContext, settings: Settings, failures: Failures) -> None:
    """Take note of rules of plug-ins that have failed."""
    for name, error in context.failed:
        failures.failed(settings.plugins.owner_of(name), "rule", name, error)
    context.failed.clear()


class Rules(Step):
    """Every chat rule, in its order. What they undo in the answer is in the exchange's plan."""

    name = "rules"
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Repair the chat body; in a thread where it is large."""
        context = context_of(exchange, self.settings)
        if not is_again(exchange.taught):
            exchange.plan.usage_chunk = usage.is_asked(exchange.chat)

        track = places.Track(exchange.notes.get(places.NAME))  # there is one where a refused body goes this way again

        def apply(checkpoint: Checkpoint) -> Sequence[Change]:
            return rules.apply_chat(exchange.chat, context, checkpoint, track)

        first = exchange.change_count
        exchange.note(await self.runtime.workers.run(apply, exchange.cost))
        tell_of_failed(context, self.settings, self.runtime.plugin_failures)
        if moved := track.note(first):
            exchange.notes[places.NAME] = moved
        for name in ("recovered", "made up"):
            if name in context.counts:
                self.runtime.metrics.add(PUT_BACK, context.counts.pop(name), name.replace(" ", "_"))
        exchange.plan.tools = tool_calls.offered(exchange.chat)
        exchange.plan.call_ids = tool_calls.ids_in(exchange.chat) if exchange.plan.tools else []
        leak_forms.expect(exchange.plan, exchange.chat, context.model)
        return None


class EmbeddingRules(Step):
    """What the endpoint doesn't take leaves an embeddings body; vectors are packed as they were asked for."""

    name = "embeddings"

    async def request(self, exchange: Exchange) -> Response | None:
        """Repair the body, or refuse what no repair can make acceptable."""
        context = context_of(exchange, self.settings)

        def apply(_: Checkpoint) -> Response | Sequence[Change]:
            return embeddings.check(exchange.chat, context) or rules.apply_embeddings(exchange.chat, context)

        result = await self.runtime.workers.run(apply, exchange.cost)
        if isinstance(result, Response):
            return result
        exchange.note(result)
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Pack the vectors in base64 where the client asked for that."""
        changes = packing.pack(answer) if exchange.plan.base64_embeddings else []
        exchange.note(changes)
        return bool(changes)
