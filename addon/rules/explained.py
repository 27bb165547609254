"""What each change is for, in words: `hunyuan.explain`, lint and docs/rules.md show them.

A rule carries its own words (`Rule.repairs`, `Rule.why`). Here are those of the changes that are made outside of the
rules: to the path, to the bytes, to the model, to documents, by the cascade, and to answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .. import rules
from ..texts import sentences
from . import embeddings


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a kind of change repairs, and why: the document, or what was seen. `file` is a path below addon/."""

    repairs: str
    why: str
    file: str = ""

    def in_language(self, language: str) -> Explanation:
        """The same for a reader of `language`."""
        return replace(self, repairs=sentences.said(language, self.repairs), why=sentences.said(language, self.why))


PATHS = {
    "path": Explanation(
        "A path with doubled slashes, a trailing one, capitals, percent-encoded letters, or a version or an API given "
        "twice (`/v1/chat/completions/chat/completions`) goes to the endpoint's own path.",
        "Base URLs are put together in many ways, and the endpoint answers 404 (rohitg00/agentmemory#628, "
        "FerroxLabs/wayland#1178).",
        "wire/paths.py",
    ),
    "key": Explanation(
        "An API key in `x-api-key` or `api-key` goes to a chat endpoint as `Authorization: Bearer` instead. A key for "
        "another vendor's host than the one that the request goes to is not sent.",
        "Clients of Anthropic's API send `x-api-key`; chat endpoints read `Authorization` (1300/78941). A key is its "
        "vendor's secret, and the proxy may send the request elsewhere (`hunyuan_upstream`).",
        "access/keys.py",
    ),
}

BYTES = {
    "coding": Explanation(
        "A packed body leaves plain: `Content-Encoding` gzip, deflate, br, zstd, up to four on top of each other, gzip "
        "and zstd without a name; plain JSON in a coding's name is taken as it is.",
        "The endpoint's documents name no content coding; RFC 9110 section 8.4 lets a server refuse one (415).",
        "wire/content_coding.py",
    ),
    "unicode": Explanation(
        "A byte order mark goes; half a character (`\\ud83d`, raw or as an escape, in keys too) becomes U+FFFD, or the "
        "character where the other half is there, and so do bytes that are no UTF-8.",
        "Strict readers refuse the body in every later turn (JohnnyZ93/oai-compatible-copilot#206, "
        "anomalyco/opencode#17758).",
        "wire/json_body.py",
    ),
}

BEFORE_THE_RULES = {
    "model-map": Explanation(
        "A row of `hunyuan_model_map` says which model answers, with which temperature, limit, effort and system text, "
        "by client, program, path, tag, kind of call and model: the first row that fits.",
        "One program sends calls of many kinds, and steps of a pipeline need models of their own: [model-map.md]"
        "(model-map.md).",
        "steps/model_map.py",
    ),
    "model": Explanation(
        "A model's name that fits a pattern of `hunyuan_models` becomes the model that it names; a mark of the window "
        "(`[1m]`) goes; an alias (`claude-hy3`) and another spelling (`Kimi-K2.6`, `moonshotai/kimi-k2.6` at Moonshot, "
        "LiteLLM's `openai/hy3`) become the id. In a request of another format, other names `claude-…` and `gpt-…` "
        "become the text model (`hunyuan_text_model`).",
        "Agents for other vendors' models ask for those unless they are told otherwise, some for small tasks only; the "
        "endpoint answers that there is no such model.",
        "rules/model_names.py",
    ),
    "successor": Explanation(
        "A retired model id becomes its successor, where the request leaves for another platform than the client "
        "addressed, or where `hunyuan_successors` names one.",
        "Notice 1729/131925: the old platform was shut down; migration guide 1823/131382.",
        "rules/successor.py",
    ),
    "tool-model": Explanation(
        "A vision model that is offered tools and takes none hands over to the text model (`hunyuan_text_model`).",
        "Hunyuan's vision models take images, not tools (`tools` in a model's data).",
        "rules/tool_model.py",
    ),
    "documents": Explanation(
        "A PDF in a part of any dialect becomes its text, or a note that says why it has none (scanned pages, "
        "encrypted, damaged, too large): the first 600 pages and 500,000 characters, 20 PDFs a request.",
        "No endpoint here documents PDFs in the request. The text of a PDF is kept, so that it reads the same in every "
        "later turn.",
        "documents/pdf.py",
    ),
    "masking": Explanation(
        "What looks like a key leaves as a placeholder, and phone, identity and card numbers do: `hunyuan_mask`. The "
        "same value always has the same placeholder.",
        "What an agent reads goes to a vendor in every later turn: [masking.md](masking.md).",
        "steps/mask.py",
    ),
    "cascade": Explanation(
        "An image becomes a description by the vision model (`hunyuan_vision_model`), or a note that says why there is "
        "none: parts in the shape of any dialect, data URLs and bare base64 inside texts and inside the strings of "
        "JSON. An image is known by its first bytes (PNG, JPEG, GIF, WebP, BMP) or by its label; other base64 stays "
        "byte for byte, and so does what stands around an image.",
        "Text models see no images, and images together with tools are refused.",
        "cascade.py",
    ),
}

FORMATS = {
    "anthropic": Explanation(
        "A request of Anthropic's Messages API becomes a chat request, and its answer a message, streams and errors "
        "included. What chat has no place for is dropped or said in words, and each such place is named.",
        "Claude Code and Anthropic's SDKs speak nothing else (docs/facts/anthropic.md).",
        "dialects/anthropic/request.py",
    ),
    "anthropic-native": Explanation(
        "A Messages request to an endpoint that speaks Messages itself stays one, and loses or says in other words "
        "only what the profile lists: fields, betas, adaptive thinking, roles other than user and assistant, tools "
        "that a vendor runs and their blocks, files kept elsewhere. Its answer names the model that was asked for. "
        "What has none of these keeps its bytes.",
        "How much of Messages TokenHub takes is documented nowhere. The list is inferred from what other vendors' "
        "endpoints refuse (docs/facts/anthropic.md).",
        "dialects/anthropic/native.py",
    ),
    "anthropic-upstream": Explanation(
        "A chat request to an endpoint that speaks Anthropic's Messages alone becomes a Messages request, and its "
        "answer a chat answer, streams and errors included; so does one that was translated into chat. Ids of calls "
        "become unique, thinking stands before text and calls, results and their images before what the user says.",
        "Some plans and gateways have no other API, and clients of chat and Responses should reach them "
        "(docs/facts/anthropic.md#chat-clients).",
        "dialects/anthropic/upstream.py",
    ),
    "tencent-cloud-upstream": Explanation(
        "A chat request to Tencent Cloud's own API becomes `ChatCompletions`, signed with a SecretId and a SecretKey, "
        "and its answer a chat answer, streams and errors included; so does one that was translated into chat. What "
        "has no native field is dropped and named.",
        "Private deployments, the international site and old contracts have no other key "
        "(docs/facts/tencent-cloud.md#fields).",
        "dialects/tencent_cloud/upstream.py",
    ),
    "responses": Explanation(
        "A request of OpenAI's Responses API becomes a chat request, and its answer a response, streams and errors "
        "included. Tools of every kind become functions, and their calls come back in the client's form. What chat "
        "has no place for is dropped or said in words, and each such place is named.",
        "Codex speaks nothing else, OpenAI's SDKs speak it on request, and most endpoints here speak chat only "
        "(docs/facts/responses.md).",
        "dialects/responses/request.py",
    ),
    "responses-compact": Explanation(
        "A request for a shorter conversation (`/responses/compact`) becomes a chat request for a summary, which "
        "comes back sealed in one item.",
        "Older versions of Codex ask for it, and no endpoint here has it (docs/facts/responses.md#answers).",
        "dialects/responses/compact.py",
    ),
    "responses-input-tokens": Explanation(
        "The tokens of a Responses request (`/responses/input_tokens`) are counted here, and nothing is sent.",
        "No endpoint here has it; the count is that of docs/facts/anthropic.md#counting-tokens.",
        "dialects/responses/input_tokens.py",
    ),
    "responses-kept": Explanation(
        "What is asked for by the id of an answer or a conversation is answered from what is kept here "
        "(`hunyuan_keep`).",
        "SDKs refer to earlier answers, and no endpoint here keeps any (docs/facts/responses.md).",
        "dialects/responses/by_id.py",
    ),
    "responses-native": Explanation(
        "A Responses request to an endpoint that speaks Responses itself stays one, and loses or says in other words "
        "only what the profile lists: freeform tools, namespaces and `additional_tools` become functions, tools that a "
        "vendor runs and files kept elsewhere are said in words, an output without its call is user text. Calls in "
        "its answer are calls of the client's own tools again. What has none of these keeps its bytes.",
        "hy3's own `/responses` refuses freeform `apply_patch` (farion1231/cc-switch). What else it refuses is "
        "inferred (docs/facts/tokenhub.md).",
        "dialects/responses/native.py",
    ),
    "tencent-cloud": Explanation(
        "A `ChatCompletions` request of Tencent Cloud's own API becomes a chat request, and its answer one in the "
        "vendor's envelope, streams and errors included. The client's signature is checked where its key is known, and "
        "is never sent on. What chat has no place for is dropped and named.",
        "Programs with the vendor's SDK call an endpoint that was shut down (docs/facts/tencent-sdk.md).",
        "dialects/tencent_cloud/client_request.py",
    ),
    "tencent-cloud-embedding": Explanation(
        "A `GetEmbedding` request of Tencent Cloud's own API becomes an embeddings request, and its answer one in the "
        "vendor's envelope.",
        "Programs with the vendor's SDK call an endpoint that was shut down (docs/facts/tencent-sdk.md).",
        "dialects/tencent_cloud/client_request.py",
    ),
    "tencent-cloud-token-count": Explanation(
        "The tokens of a text (`GetTokenCount`) are counted here, and nothing is sent.",
        "No endpoint has it any more; the count is that of docs/facts/anthropic.md#counting-tokens.",
        "dialects/tencent_cloud/client_request.py",
    ),
    "reasoning-memory": Explanation(
        "A turn of the assistant's that its client sends back without its reasoning gets back what the model had "
        "thought for it, as it was kept from the answer (`hunyuan_keep`): in chat, in Messages with the endpoint's own "
        "signatures, in Responses as an item.",
        "Thinking models refuse a turn with calls and without its reasoning, or answer worse, and many clients drop it "
        "(BerriAI/litellm#26156, docs/facts/kimi.md#reasoning-memory).",
        "steps/reasoning_memory.py",
    ),
    "json": Explanation(
        "Where JSON is asked for and the endpoint demands the word in a message, it is put in at the end of the "
        "last one of the user or the system (`hunyuan_json`).",
        "DeepSeek and DashScope refuse `json_object` without it (`json_word` in their profiles).",
        "steps/json_answers.py",
    ),
    "web-search": Explanation(
        "In a translated request that may search the web, the model's searches are made by `hunyuan_search_command`, "
        "and answered in the client's own blocks, with citations.",
        "Anthropic's `web_search` is run by the vendor, and the endpoints here have none.",
        "steps/web_search.py",
    ),
}

REFUSALS = {
    "mended": Explanation(
        "A request that the endpoint refuses with an error which says what is wrong is changed for that and sent once "
        "more, before the client sees anything: reasoning that is missing or refused, a fixed value, thinking that "
        "can't be switched on or off, a forced tool, a schema, an effort, too long an answer, an unknown field. Under "
        "`hunyuan_translate=auto` a request in another format that is refused is sent once more as chat.",
        "What an endpoint takes changes from model to model and from month to month; no agent mends a 400 by itself "
        "(docs/facts/kimi.md#errors). What helped is kept for an hour; what didn't gives the client the first error.",
        "hooks/mended_try.py",
    ),
    "fallback": Explanation(
        "A request whose endpoint is down, over its quota or without its model is made anew for the next model or "
        "endpoint of its chain in `hunyuan_fallbacks`, with that one's key, before the client has got anything.",
        "An agent gives up at such an error, though another model could have gone on. The header "
        "`x-hunyuan-fallback` names who has answered.",
        "hooks/fallback.py",
    ),
}

ANSWERS = {
    "answer-masking": Explanation(
        "Where the model wrote a placeholder, the client gets the value, in texts and in the arguments of calls: "
        "`hunyuan_mask`.",
        "A tool that is called with a placeholder would write it into a file.",
        "answers/placeholders.py",
    ),
    "answer-error": Explanation(
        "An error answer gets its honest status; the vendor's own error stays under `error.vendor`.",
        "Seen: a rate limit comes as HTTP 400 with code 2003, which no client tries again.",
    ),
    "answer-continued": Explanation(
        "An answer that was cut at its length limit is continued by further calls, and given to the client as one: "
        "`hunyuan_continue`, [continuing.md](continuing.md).",
        "Models end long answers at a limit that their client didn't set (microsoft/RD-Agent#1343).",
        "steps/auto_continue.py",
    ),
    "answer-cache": Explanation(
        "A request that asks the same as an earlier one gets its answer again, which costs nothing: "
        "`hunyuan_answer_cache`, [answer-cache.md](answer-cache.md).",
        "Tests, retries and repeated runs ask the same, and pay each time (RD-Agent's own cache has neither model nor "
        "parameters in its key).",
        "steps/answer_cache.py",
    ),
    "answer-cors": Explanation(
        "For a web page of `hunyuan_allowed_origins`: an answer without CORS headers gets them, a preflight without an "
        "answer is answered.",
        "Without them a browser keeps the answer from the page, or never sends the request (Fetch standard, section "
        "3.3).",
    ),
    "answer-embeddings": Explanation(
        "Vectors are packed in base64, as the client asked.",
        "The endpoint answers floats only; openai-python asks for base64.",
    ),
    "answer-finish-reason": Explanation(
        "The finish reason `sensitive` becomes `content_filter`; beside complete tool calls anything but `length` and "
        "`content_filter` becomes `tool_calls`.",
        "Moderation's word here is not one of OpenAI's; agents run no tool after `stop` (BerriAI/litellm#12862).",
    ),
    "answer-function-call": Explanation(
        "The answer's first tool call goes back as `function_call`, with that finish reason.",
        "The client asked with the deprecated `functions`, where there is room for one.",
    ),
    "answer-json": Explanation(
        "An answer that was asked for as JSON is cut out of what wraps it, and respelt where it isn't JSON: "
        "`hunyuan_json`, [json.md](json.md).",
        "Models add fences, sentences and reasoning, write Python or JavaScript, and leave commas "
        "(microsoft/RD-Agent#788, #984, #1023).",
        "steps/json_answers.py",
    ),
    "answer-json-arguments": Explanation(
        "The arguments of tool calls get the types that their schema demands, where they can mean one thing only "
        "(`hunyuan_json`).",
        "Models write `3.0` for integers, numbers and objects as strings (microsoft/RD-Agent#984).",
        "steps/json_answers.py",
    ),
    "answer-json-fence": Explanation(
        "The Markdown fence around a JSON answer is taken off.",
        "JSON was asked for by instruction (rule `intents`), and models like to fence it.",
    ),
    "answer-leaks": Explanation(
        "Tool calls that the model's server left in the text, in the form in which the model writes them, become tool "
        "calls, if the request offers a tool of that name and their arguments are whole; all else stays text. Text in "
        "`<think>` at the beginning of an answer becomes `reasoning_content`, for models that think, unless the "
        "request says `reasoning_split: false` or reasoning came before it.",
        "Servers of Kimi, DeepSeek, GLM, Hunyuan, MiniMax and Qwen models leave them there now and then "
        "(NousResearch/hermes-agent#24534, vybestack/llxprt-code#750); `answers/leaks.toml` has the forms and sources.",
        "answers/leaks.py",
    ),
    "answer-models": Explanation(
        "The list of models is in the form that the client reads, with limits; a model that the profile knows is there "
        "under its alias, too (`claude-hy3`). Where the endpoint lists nothing, the profile's models are listed. One "
        "model (`/models/hy3`) is found in that list, by each name that a request may have for it.",
        "Anthropic's clients read another form than OpenAI's, and Claude Code shows only names that begin with "
        "`claude` or `anthropic`.",
        "answers/model_list.py",
    ),
    "answer-stop": Explanation(
        "The stop text at the end of the answer is cut off.",
        "Compatibility page 1729/111007: the endpoint stops after the match and leaves it in, OpenAI stops before it.",
    ),
    "answer-stream": Explanation(
        "Where a stream was asked for, one without its label gets it, and a whole answer, an error or a page "
        "becomes one.",
        "Clients read events and nothing else: they would see an empty answer.",
    ),
    "answer-stream-end": Explanation(
        "A stream that ends without a finish reason gets an error event, `stream_incomplete` or, "
        "where its connection broke, `stream_broken`; or it gets the reason where "
        "`[DONE]` says that all is there; one without `[DONE]` gets it; a second `[DONE]` goes.",
        "Silence would pass for a whole answer.",
    ),
    "answer-tool-frames": Explanation(
        "Each tool call comes once, under an index of its own (0, 1, 2 …), with an id that no earlier call "
        "has, its type and its whole name in the first frame and in no other; `arguments` is text, `{}` where there "
        "are none; the same in whole answers.",
        "Seen with hunyuan-a13b: the name is an empty string in every later frame; others send two calls under one "
        "index (agno-agi/agno#8880) or arguments as an object (ggml-org/llama.cpp#20198).",
    ),
    "answer-tool-names": Explanation(
        "Tools that the request had renamed get their own names back.",
        "It undoes the rule `tool-names`.",
    ),
    "answer-usage": Explanation(
        "Usage that stands in a choice is given in its usual place, in a stream only to a client that asked for it "
        "(`stream_options.include_usage`); cached tokens that stand under a vendor's own name are given in "
        "`prompt_tokens_details.cached_tokens`, too. Where the client doesn't ask, a request that is changed anyway "
        "asks in its place, under `hunyuan_usage=ask` every one, and what comes of that is taken out again.",
        "Moonshot's streams have it in `choices[0].usage`, its answers have `cached_tokens` beside the other counts, "
        "DeepSeek's `prompt_cache_hit_tokens` (docs/facts/anthropic.md#answers). Clients look for OpenAI's places.",
    ),
}


def chat() -> dict[str, Explanation]:
    """The changes to a chat request, in the order in which they happen. A rule that runs twice is named once."""
    return BEFORE_THE_RULES | {rule.name: _of(rule) for rule in rules.CHAT_RULES}


def embeddings_requests() -> dict[str, Explanation]:
    """The changes to an embeddings request."""
    return {
        "embedding-model": Explanation(
            "The request goes to `hunyuan_embeddings_upstream`, with the key for that endpoint and never with its own, "
            "and for `hunyuan_embeddings_model` if that is set.",
            "Some providers have no embeddings (microsoft/RD-Agent#745, #1371).",
            "steps/embedding_model.py",
        ),
        embeddings.RULE.name: _of(embeddings.RULE),
        "overlong-texts": Explanation(
            "A text with more tokens than its embedding model takes loses its end, under "
            "`hunyuan_embedding_overlong=truncate`; the response header `x-hunyuan-truncated` names its place.",
            "Endpoints refuse such a text, or leave its end out without a word (microsoft/RD-Agent#1188; Hunyuan's own "
            "model from 1,024 tokens on).",
            "steps/known_vectors.py",
        ),
        "known-vectors": Explanation(
            "Texts whose vectors are known aren't sent again, under `hunyuan_embedding_cache`, and none is sent twice "
            "in one request.",
            "The same texts are asked for again and again, and each time paid for (RD-Agent's own cache has no model "
            "in its key).",
            "steps/known_vectors.py",
        ),
    }


def explanations() -> Mapping[str, Explanation]:
    """Every name that a change can have -> its explanation, in the order in which changes happen."""
    return PATHS | BYTES | FORMATS | chat() | embeddings_requests() | REFUSALS | ANSWERS


def _of(rule: rules.Rule) -> Explanation:
    return Explanation(rule.repairs, rule.why, rule.file)
