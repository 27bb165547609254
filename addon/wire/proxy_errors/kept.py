"""What is kept of earlier answers."""

from __future__ import annotations

from .entry import Entry

PREVIOUS_RESPONSE_NOT_FOUND = Entry(
    status=400,
    code="previous_response_not_found",
    message="Previous response with id '{id}' not found. This proxy keeps answers itself (hunyuan_keep), for the key "
    "that asked for them. This one is unknown to it: it belongs to another key, was asked for with `store: false`, was "
    "too large, is too old, or a restart came between. Send the whole conversation in `input` instead.",
    when="`previous_response_id` or `conversation` leads to an answer that is not kept, or not for this key",
    advice="send the whole conversation in `input`; `hunyuan_keep=store` outlives restarts and serves several workers",
    param="previous_response_id",
    retry=False,
)
NOTHING_KEPT = Entry(
    status=400,
    code="previous_response_not_found",
    message="This proxy keeps no answers (hunyuan_keep=off), so that a request can't refer to an earlier one. Send the "
    "whole conversation in `input`, without previous_response_id, conversation and item_reference.",
    when="a request refers to an earlier answer under `hunyuan_keep=off`",
    advice="send the whole conversation in `input`, or use `hunyuan_keep=memory`",
    retry=False,
)
HISTORY_TOO_LONG = Entry(
    status=400,
    code="history_too_long",
    message="The conversation that this request continues has {why}, which is more than this proxy reads. Begin a new "
    "one with a summary of this one.",
    when="the answers before a request are more than 1000, or larger than `hunyuan_max_body`",
    advice="begin a new conversation",
    param="previous_response_id",
    retry=False,
)
CONVERSATION_NOT_FOUND = Entry(
    status=404,
    code="conversation_not_found",
    message="Conversation with id '{id}' not found. This proxy knows the conversations that were begun here, with this "
    "key (POST /v1/conversations).",
    when="a conversation is not kept, or not for this key",
    advice="begin one with `POST /v1/conversations`",
    param="conversation",
    retry=False,
)
ITEM_NOT_FOUND = Entry(
    status=404,
    code="item_not_found",
    message="Item with id '{id}' not found. Items are kept with the answer that they belong to, for its key alone, "
    "unless it was asked for with `store: false`. Send the item itself.",
    when="an `item_reference` names an item that is not kept, or not for this key",
    advice="send the item itself; AI SDK: `store: false`",
    param="input",
    retry=False,
)
RESPONSE_NOT_FOUND = Entry(
    status=404,
    code="response_not_found",
    message="Response with id '{id}' not found.",
    when="an answer is asked for by an id that is not kept, or not for this key",
    advice="`hunyuan_keep`; an answer to a request with `store: false` is not kept",
    retry=False,
)
KEPT_CALL_REFUSED = Entry(
    status=400,
    code="not_supported",
    message="{why}",
    when="a call about a kept answer or conversation asks for what is not done here, such as cancelling an answer",
    advice="the message says why",
    retry=False,
)
RUN_UNREADABLE = Entry(
    status=400,
    code="run_unreadable",
    message="The header x-hunyuan-run names a run as NAME or NAME/TAKE, each of at most 100 characters. Nothing was "
    "sent.",
    when="the header `x-hunyuan-run` isn't `NAME` or `NAME/TAKE`",
    advice="give the run a short name",
    retry=False,
)
RUN_NEEDS_REDIS = Entry(
    status=400,
    code="run_needs_redis",
    message="Several workers serve here, and each sees only some of the requests of a run: x-hunyuan-run needs "
    "hunyuan_store=redis://… and a take, as NAME/TAKE. Nothing was sent.",
    when="a request belongs to a run (`x-hunyuan-run`), and several workers serve without a Redis, or it names no take",
    advice="`hunyuan_store=redis://…` and `x-hunyuan-run: NAME/TAKE`; or one worker",
    retry=False,
)
