"""A step: requests of a program that sends no tag get one by their system text, for rows of `hunyuan_model_map`.

    hunyuan-fix run --set hunyuan_plugins=examples/tag_by_stage.py --set hunyuan_config=models.yaml

A pipeline such as RD-Agent's has a system text for each of its stages. A tag that the client has sent stays.
"""

from __future__ import annotations

from typing import override

from hunyuan_fix.plugins import Exchange, Plugin, Response, Step

STAGES = {
    "generate hypotheses": "hypothesis",
    "write code": "coding",
    "give feedback": "feedback",
}
"""A piece of a stage's system text, in lower case -> its tag."""
LONGEST = 4000
"""Characters of a system text that are looked at."""


class TagByStage(Step):
    """Sets the tag of requests that have none."""

    name = "tag-by-stage"
    about = "The stage of the pipeline is the tag by which hunyuan_model_map chooses a row."
    before = "model-map"
    houses = ("chat", "native", "count")

    @override
    async def request(self, exchange: Exchange) -> Response | None:
        if not exchange.tag:
            text = system_text(exchange.chat)[:LONGEST].lower()
            exchange.tag = next((tag for piece, tag in STAGES.items() if piece in text), "")
        return None


def system_text(body: dict[str, object]) -> str:
    """The system text of a chat request, or of one in another format; `""` where it has none."""
    given = body.get("system") or body.get("instructions")
    messages = body.get("messages")
    if not given and isinstance(messages, list) and messages and isinstance(messages[0], dict):
        given = messages[0].get("content") if messages[0].get("role") in ("system", "developer") else None
    if isinstance(given, list):
        given = "".join(str(part.get("text", "")) for part in given if isinstance(part, dict))
    return given if isinstance(given, str) else ""


PLUGIN = Plugin("tag-by-stage", steps=(TagByStage(),), about="Names the stage of a pipeline, for hunyuan_model_map.")
