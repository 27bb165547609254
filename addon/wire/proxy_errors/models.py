"""What no model accepts."""

from __future__ import annotations

from .entry import Entry

INPUT_TOO_LONG = Entry(
    status=400,
    code="context_length_exceeded",
    # The beginning is what Claude Code compacts its history at (docs/facts/anthropic.md#windows).
    message="prompt is too long: {tokens} tokens > {limit} maximum. The proxy estimates this for the model {model}: "
    "the endpoint would drop the beginning of the input and not say so (hunyuan_overlong).",
    when="the input is longer than the model's limit: `hunyuan_overlong=error`, under `auto` in a translated request",
    advice="send a shorter history (agents compact theirs), or take another model; `hunyuan_window` sets another limit",
    param="messages",
)
UNSUPPORTED_DIMENSIONS = Entry(
    status=400,
    code="unsupported_dimensions",
    message="The model {model} answers with {known} dimensions and no other number: leave `dimensions` out.",
    when="an embeddings request asks for another vector length than the model's",
    advice="leave `dimensions` out",
    param="dimensions",
)
TOO_MANY_INPUTS = Entry(
    status=400,
    code="too_many_inputs",
    message="The input has {count} texts; at most {limit} are taken in one request, as by OpenAI.",
    when="an embeddings request has more than 2048 texts",
    advice="send several requests",
    param="input",
)
TEXT_TOO_LONG = Entry(
    status=400,
    code="text_too_long",
    message="These texts of the input (counted from 0) have more than about {limit} tokens, which is what the model "
    "takes: {places}. Nothing was sent (option hunyuan_embedding_overlong=error).",
    when="a text of an embeddings request is too long for its model, under `hunyuan_embedding_overlong=error`",
    advice="split it, or set `hunyuan_embedding_overlong=truncate`, which cuts its end off and says so",
    param="input",
)
UNSUPPORTED_INPUT = Entry(
    status=400,
    code="unsupported_input",
    message="The input is token ids, but this endpoint takes text only: send strings. LangChain does with "
    "OpenAIEmbeddings(check_embedding_ctx_length=False).",
    when="an embeddings request has token ids in place of text",
    advice="send strings; in LangChain: `check_embedding_ctx_length=False`",
    param="input",
)
EMBEDDING_MODEL_RETIRED = Entry(
    status=404,
    code="model_not_found",
    message="The embedding model {model} does not exist here. Its successor is {successor}; it is not used in its "
    "place, because vectors of two models do not fit into one index: ask for it by name and embed the documents anew.",
    when="a retired embedding model, on a request that is re-routed",
    advice="ask for the successor, and embed all documents anew",
    param="model",
)
