"""The oracle: is this body one that the endpoint accepts, and if not, with what is it refused?

Pure, and shared with nobody: the server asks it before it answers, and the property tests of the repair rules ask it
whether a repaired body is sound. Order of the checks (inferred): fields and types, model, parameters,
system's place, empty content, alternation, length.
"""

from collections.abc import Iterator

from . import kimi, models, parameters, shape
from . import messages as rules
from .content import image_urls
from .kimi_models import BY_ID
from .rows import THINKERS, Finding, Json, Problem, ProfileName, problem
from .thinking import thinks
from .variant import DOCUMENTED, Variant

__all__ = ["Problem", "ProfileName", "all_problems", "embedding_problems", "problems"]

MAX_INPUTS = 50
MAX_TOKENHUB_IMAGES = 20
_PLAN_IGNORES = frozenset({"reasoning_effort"})


def problems(
    body: object,
    profile: ProfileName,
    *,
    strict: bool = True,
    retired: bool = False,
    variant: Variant = DOCUMENTED,
    max_input: int = 0,
) -> Problem | None:
    """The first refusal of a chat body, None if the endpoint accepts it.

    `strict` adds the rows of section C, which others claim but nobody has proved; `retired` adds row A10; `variant` is
    what this endpoint does otherwise; `max_input` are the tokens that a thinking model reads, 0 for its own limit.
    """
    found = all_problems(body, profile, strict=strict, retired=retired, variant=variant, max_input=max_input)
    return next(found, None)


def all_problems(
    body: object,
    profile: ProfileName,
    *,
    strict: bool = True,
    retired: bool = False,
    variant: Variant = DOCUMENTED,
    max_input: int = 0,
) -> Iterator[Problem]:
    """Every refusal of a chat body, in the order of the checks; only those of its shape if that is wrong."""
    for finding in _findings(body, profile, variant, strict=strict, retired=retired, max_input=max_input):
        yield problem(profile, finding)


def _findings(
    body: object, profile: ProfileName, variant: Variant, *, strict: bool, retired: bool, max_input: int
) -> Iterator[Finding]:
    misshapen = False
    for finding in shape.body_shape(body):
        misshapen = True
        yield finding
    if misshapen or not isinstance(body, dict):
        return
    model, refused = models.find(profile, body["model"]), False
    for finding in _model(body, profile, retired=retired):
        refused = True
        yield finding
    if profile in THINKERS:
        if model is not None and not refused:
            yield from kimi.findings(body, BY_ID[model.id], variant, max_input=max_input)
        return
    if profile == "hunyuan":
        yield from _legacy(body, strict=strict)
    else:
        yield from _tokenhub(body, profile, variant, strict=strict)
    if strict:
        yield from rules.pairing(body["messages"])
        yield from _abilities(body, profile)


def _legacy(body: Json, *, strict: bool) -> Iterator[Finding]:
    messages = body["messages"]
    if strict:
        yield from parameters.unknown(body)
    yield from parameters.legacy(body, strict=strict)
    yield from parameters.tools(body, strict=strict)
    yield from rules.roles(messages)
    yield from rules.fields(messages, strict=strict)
    yield from rules.system_place(messages)
    yield from rules.empty_content(messages, "hunyuan", strict=strict)
    yield from rules.parts(messages, "hunyuan", strict=strict)
    yield from rules.tool_messages(messages)
    yield from rules.tool_calls(messages, strict=strict)
    yield from rules.order(messages, "hunyuan")
    yield from rules.length(messages)


def _tokenhub(body: Json, profile: ProfileName, variant: Variant, *, strict: bool) -> Iterator[Finding]:
    """The successor: a weaker order, no limit on messages, fields and parameters it doesn't know ignored."""
    messages = body["messages"]
    yield from parameters.tokenhub(body, ignored=_PLAN_IGNORES if profile == "tokenhub-plan" else frozenset())
    yield from parameters.tools(body, strict=strict)
    if "developer-taken" in variant.differs:
        messages = [one | {"role": "system"} if one["role"] == "developer" else one for one in messages]
    yield from rules.roles(messages)
    yield from rules.system_place(messages)
    yield from rules.empty_content(messages, "tokenhub", strict=strict)
    yield from rules.parts(messages, "tokenhub", strict=strict)
    yield from rules.tool_messages(messages)
    yield from rules.tool_calls(messages, strict=strict)
    yield from rules.order(messages, "tokenhub")
    if "reasoning-required" in variant.differs and thinks(body, profile):
        yield from rules.reasoning_kept(messages)
    yield from parameters.varied(body, variant)
    pictures = sum(1 for _ in image_urls(body))
    if pictures > MAX_TOKENHUB_IMAGES:
        yield Finding("B8", f"/messages: {pictures} images of {MAX_TOKENHUB_IMAGES}")


def _model(body: Json, profile: ProfileName, *, retired: bool) -> Iterator[Finding]:
    """A5: a chat model that exists. A10: one that isn't retired."""
    model = models.find(profile, body["model"])
    if profile == "tokenhub-plan" and body["model"] in models.NOT_IN_PLAN:
        yield Finding("A8p", f"/model: {body['model']} isn't in the plan")
    elif profile == "tokenhub-plan" and model is None and models.find("tokenhub", body["model"]):
        yield Finding("A12", f"/model: {body['model']} isn't in this tier", body["model"])
    elif model is None or model.dimensions:
        yield Finding("A5", f"/model: {body['model']}", body["model"])
    elif retired and model.retired:
        yield Finding("A10", f"/model: {body['model']}", body["model"])


def _abilities(body: Json, profile: ProfileName) -> Iterator[Finding]:
    """C3: images only to a model that sees, video only to one that watches, tools only to one that doesn't see."""
    model = models.find(profile, body["model"])
    if model is None:
        return
    if model.images and body.get("tools"):
        yield Finding("C3", "/tools: to a vision model", "tools")
    for index, message in enumerate(body["messages"]):
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            kind = part["type"]
            if kind == "image_url" and not model.images:
                yield Finding("C3", f"/messages/{index}: image to a model that can't see", "image_url")
            elif kind in ("video_url", "video_frames") and not model.video:
                yield Finding("C3", f"/messages/{index}: video to a model that can't watch", kind)


def embedding_problems(body: object, profile: ProfileName, *, strict: bool = True) -> Problem | None:
    """The first refusal of a body for /v1/embeddings (docs/facts/hunyuan.md#embeddings), None if it is accepted."""
    finding = next(_embedding_findings(body, profile, strict=strict), None)
    return None if finding is None else problem(profile, finding)


def _embedding_findings(body: object, profile: ProfileName, *, strict: bool) -> Iterator[Finding]:
    if not isinstance(body, dict):
        yield Finding("A6", ": the body is not an object")
        return
    yield from shape.model_shape(body)
    model = models.find(profile, body.get("model"))
    if model is None or not model.dimensions:
        yield Finding("A5", f"/model: {body.get('model')}", str(body.get("model")))
    if strict and profile == "hunyuan":
        for name in body.keys() - {"model", "input"}:
            yield Finding("C2", f"/{name}")
    given = body.get("input")
    if given is None:
        yield Finding("B10", "/input: missing", "input")
        return
    inputs = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in inputs):
        yield Finding("A6", "/input: neither a string nor a list of strings")
    elif not inputs or not all(inputs) or len(inputs) > MAX_INPUTS:
        yield Finding("input", f"/input: empty, or more than {MAX_INPUTS}")
