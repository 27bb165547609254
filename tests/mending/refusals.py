# ruff: noqa: E501 - a row is a row
"""Errors as vendors and those who pass them on have written them, and what each teaches.

Sources are public issues; the texts are facts of the wire, cut to what is said of the request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error `text` that answers the request `body`; what it teaches of the model, and of its format."""

    source: str
    text: str
    body: dict[str, Any]
    kind: str
    model: dict[str, Any] = field(default_factory=dict)
    native: dict[str, Any] = field(default_factory=dict)
    format: str = "chat"
    status: int = 400
    learns: bool = True


def openai(message: str, **more: Any) -> str:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error"} | more}, ensure_ascii=False)


def anthropic(message: str) -> str:
    return json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": message}})


CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
ASKED = {"role": "user", "content": "hi"}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "1"}
HISTORY = {"model": "m", "messages": [ASKED, CALL, RESULT]}
EMPTY = {"model": "m", "messages": [ASKED, CALL | {"reasoning_content": ""}, RESULT]}
SAID = {"model": "m", "messages": [ASKED, {"role": "assistant", "content": "hello"}, ASKED]}
PLAIN = {"model": "m", "messages": [ASKED]}
MISSING = "thinking is enabled but reasoning_content is missing in assistant tool call message at index"
PASS_BACK = "The `reasoning_content` in the thinking mode must be passed back to the API."
REQUIRED = {"replay": "required"}
FORCED = PLAIN | {"tools": [{}], "tool_choice": "required"}
NO_FORCE = {"thinking": {"tool_choices": ["auto", "none"]}}
THINKING = PLAIN | {"thinking": {"type": "enabled", "budget_tokens": 1000}}
MFJS = (
    "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'root': when using "
    "anyOf, type should be defined in anyOf items instead of the parent schema>"
)
TOOLS = PLAIN | {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}
EFFORT = PLAIN | {"reasoning_effort": "xhigh"}
LONG = PLAIN | {"max_tokens": 64_000}
MESSAGES = {
    "model": "m",
    "max_tokens": 64_000,
    "context_management": {"edits": []},
    "thinking": {"type": "adaptive"},
    "system": [{"type": "text", "text": "x"}, {"type": "text", "text": "y", "cache_control": {"type": "ephemeral", "scope": "global"}}],
    "tools": [{"name": "f", "input_schema": {}, "defer_loading": True}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "citations": []}]}],
}  # fmt: skip
RESPONSES = {"model": "m", "input": [{"type": "message", "role": "user", "content": "hi", "status": "completed"}], "top_logprobs": 3, "store": False}  # fmt: skip
LIST_OF_FIELDS = [
    "thinking",
    "seed",
    "logit_bias",
    "chat_template_kwargs",
    "enable_thinking",
    "reasoning_effort",
    "top_p",
    "num_keep",
    "parallel_tool_calls",
    "prompt_cache_key",
]
MANY = PLAIN | dict.fromkeys(LIST_OF_FIELDS, 1)

REFUSALS = [
    # Reasoning that is missing
    Refusal("MoonshotAI/Kimi-K2.5#13", openai(f"{MISSING} 1"), HISTORY, "reasoning-missing", REQUIRED),
    Refusal("agentscope-ai/QwenPaw#433", json.dumps({"code": 20015, "message": f"{MISSING} 32", "data": None}), HISTORY, "reasoning-missing", REQUIRED),
    Refusal("QuantumNous/new-api#4408", json.dumps({"error": {"type": "<nil>", "message": f"{MISSING} 1 (request id: 20260304B7)"}, "type": "error"}), HISTORY, "reasoning-missing", REQUIRED),
    Refusal(
        "iOfficeAI/AionUi#2746",
        json.dumps({"error": {"message": "Error from provider: Provider returned error", "code": 400, "metadata": {"raw": openai(f"{MISSING} 1"), "provider_name": "Moonshot AI"}}, "user_id": "u"}),
        HISTORY, "reasoning-missing", REQUIRED,
    ),
    Refusal("earendil-works/pi#4178", openai(f"{MISSING} 1"), EMPTY, "reasoning-missing", REQUIRED | {"empty_reasoning": False}),
    Refusal("openclaw/openclaw#73417", openai(PASS_BACK), HISTORY, "reasoning-missing", REQUIRED),
    Refusal("NousResearch/hermes-agent#18263", openai(PASS_BACK), EMPTY, "reasoning-missing", REQUIRED | {"empty_reasoning": False}),
    Refusal("continuedev/continue#10193", openai("Missing `reasoning_content` field in the assistant message at message index 1. For more information, please refer to https://api-docs.deepseek.com/guides/thinking_mode#tool-calls", param=None, code="invalid_request_error"), HISTORY, "reasoning-missing", REQUIRED),
    Refusal("esengine/DeepSeek-Reasonix#6173", openai("litellm.BadRequestError: OpenAIException - messages[1]: assistant message with tool_calls must include reasoning_content. Received Model Group=deepseek-v4-pro"), HISTORY, "reasoning-missing", REQUIRED),
    Refusal("DeepSeek V4, all turns", openai("Missing `reasoning_content` field in the assistant message at message index 1."), SAID, "reasoning-missing", REQUIRED | {"replay_turns": "all"}),
    Refusal("Anthropic's own words", anthropic("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block"), MESSAGES, "reasoning-missing", REQUIRED, format="anthropic"),
    # Reasoning that may not be there
    Refusal("Groq", openai("'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property 'reasoning_content' is unsupported)]"), HISTORY, "reasoning-refused", {"replay": "harmful"}),
    Refusal("Mistral", json.dumps({"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 1, "assistant", "reasoning_content"], "msg": "Extra inputs are not permitted", "input": "x"}]}), EMPTY, "reasoning-refused", {"replay": "harmful"}, status=422),
    # Thinking
    Refusal("MoonshotAI/Kimi-K2#141", openai("invalid thinking: only type=enabled is allowed for this model"), THINKING, "thinking-always-on", {"thinking": {"can_be_off": False}}),
    Refusal("DashScope", openai("<400> InternalError.Algo.InvalidParameter: The value of the enable_thinking parameter is restricted to True.", code="invalid_parameter_error"), PLAIN | {"enable_thinking": False}, "thinking-always-on", {"thinking": {"can_be_off": False}}),
    Refusal("DashScope", openai("The value of the enable_thinking parameter is restricted to False."), PLAIN | {"enable_thinking": True}, "thinking-not-asked", {"thinking": {"can_be_asked": False}}),
    Refusal("Anthropic", anthropic("adaptive thinking is not supported on this model"), MESSAGES, "adaptive-thinking", {}, {"adaptive_thinking": False}, "anthropic"),
    Refusal("pydantic", anthropic("thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'enabled', 'disabled'"), MESSAGES, "adaptive-thinking", {}, {"adaptive_thinking": False}, "anthropic"),
    Refusal("Moonshot", openai("invalid thinking: type must be enabled or disabled"), PLAIN | {"thinking": {"type": "adaptive"}}, "thinking-adaptive", {"thinking": {"adaptive": False}}),
    Refusal("Moonshot", openai("tool type 'builtin_function' is incompatible with thinking enabled"), TOOLS, "built-in-function", {"thinking": {"builtin_functions": False}}),
    Refusal("kimi-k2.5", openai("invalid thinking: additional property 'budget_tokens' is not allowed"), THINKING, "field", {"thinking": {"fields": ["type"]}}),
    Refusal("kimi-k3", openai("invalid reasoning_effort: only low, high, max are allowed for this model"), EFFORT, "effort", {"thinking": {"efforts": ["low", "high", "max"]}}),
    Refusal("kimi-k2.5", openai("thinking.budget_tokens: Extra inputs are not permitted"), THINKING, "field", {"thinking": {"fields": ["type"]}}),
    # A forced tool
    Refusal("lobehub/lobehub#17729", openai("tool_choice 'specified' is incompatible with thinking enabled"), FORCED, "tool-choice", NO_FORCE),
    Refusal("Moonshot", openai("tool_choice 'required' is incompatible with thinking enabled"), FORCED, "tool-choice", NO_FORCE),
    Refusal("deepseek-ai/DeepSeek-V3#1376", openai("Thinking mode does not support this tool_choice"), FORCED, "tool-choice", NO_FORCE),
    Refusal("cloudwego/eino#994", json.dumps({"error": {"message": "<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to required or object in thinking mode", "type": "invalid_request_error", "param": None, "code": "invalid_parameter_error"}, "id": "chatcmpl-5bf78562"}), FORCED, "tool-choice", NO_FORCE),
    # Schemas
    Refusal("MoonshotAI/kimi-code#2661", openai(MFJS), TOOLS, "schema", {"schema": "mfjs-lite"}),
    Refusal("nicobailon/pi-subagents#127", "400 Error from provider: Provider returned error\n " + openai(f"Invalid request: {MFJS}"), TOOLS, "schema", {"schema": "mfjs-lite"}),
    # Values
    Refusal("MoonshotAI/Kimi-K2#124", openai("invalid temperature: only 0.6 is allowed for this model"), PLAIN | {"temperature": 0.2}, "fixed-value", {"values": {"temperature": 0.6}}),
    Refusal("countbot-ai/CountBot#61", openai("invalid temperature: only 1 is allowed for this model"), PLAIN | {"temperature": 0.7}, "fixed-value", {"values": {"temperature": 1}}),
    Refusal("Moonshot", openai("invalid top_p: only 0.95 is allowed for this model"), PLAIN | {"top_p": 1}, "fixed-value", {"values": {"top_p": 0.95}}),
    Refusal("OpenAI", openai("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.", param="temperature", code="unsupported_value"), PLAIN | {"temperature": 0.2}, "fixed-value", {"values": {"temperature": 1}}),
    # Too long an answer
    Refusal("ChatGPTNextWeb/NextChat#3195", openai("max_tokens is too large: 64000. This model supports at most 4096 completion tokens, whereas you provided 64000."), LONG, "output-limit", {"output": 4096}),
    Refusal("we0-dev/we0#56", openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"), LONG, "output-limit", {"output": 8192}),
    Refusal("DashScope", openai("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 16384]"), LONG, "output-limit", {"output": 16384}),
    Refusal("Anthropic", anthropic("max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for m"), MESSAGES, "output-limit", {"output": 8192}, format="anthropic"),
    Refusal("Groq", openai("`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model"), LONG, "output-limit", {"output": 8192}),
    Refusal("FastAPI", json.dumps({"detail": [{"loc": ["body", "max_tokens"], "msg": "Input should be less than or equal to 32768", "type": "less_than_equal"}]}), LONG, "output-limit", {"output": 32768}, status=422),
    Refusal("GLM", openai("max_tokens参数非法。请修改限制数值范围[1,16384]"), LONG, "output-limit", {"output": 16384}),
    Refusal("claude-code-best/claude-code#272", openai("'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 64001 tokens and your request has 24235 input tokens (64000 > 64001 - 24235). None"), LONG, "output-room", {"output": 39766}, learns=False),
    # Efforts
    Refusal("router-for-me/CLIProxyAPI#1307", json.dumps({"detail": 'Invalid request: {"detail":{"error":{"message":"1 validation error: reasoning_effort: expected one of \'low\' | \'medium\' | \'high\', received \'xhigh\'"}}}'}), EFFORT, "effort", {"thinking": {"efforts": ["low", "medium", "high"]}}),
    Refusal("nguyenphutrong/quotio#287", openai('level "xhigh" not supported, valid levels: low, medium, high'), EFFORT, "effort", {"thinking": {"efforts": ["low", "medium", "high"]}}),
    Refusal("diegosouzapw/OmniRoute#11116", openai("Unexpected reasoning effort high. Supported types are xhigh, medium, low"), PLAIN | {"reasoning_effort": "high"}, "effort", {"thinking": {"efforts": ["low", "medium", "xhigh"]}}),
    Refusal("OpenAI", openai("Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: 'minimal', 'low', 'medium', and 'high'.", param="reasoning_effort", code="unsupported_value"), EFFORT, "effort", {"thinking": {"efforts": ["minimal", "low", "medium", "high"]}}),
    Refusal("pydantic", json.dumps({"detail": [{"type": "literal_error", "loc": ["body", "reasoning_effort"], "msg": "Input should be 'low', 'medium' or 'high'", "input": "xhigh"}]}), EFFORT, "effort", {"thinking": {"efforts": ["low", "medium", "high"]}}, status=422),
    Refusal("esengine/DeepSeek-Reasonix#7451", openai("reasoning_effort: unknown variant `xhigh`, expected one of `none`, `minimal`, `low`, `high`, `max`"), EFFORT, "effort", {"thinking": {"efforts": ["none", "minimal", "low", "high", "max"]}}),
    # Fields that aren't known
    Refusal("formulahendry/wechat-acp#16", openai("Unrecognized request argument supplied: reasoning_effort (Request ID: *)"), MANY, "field", {"refused": ["reasoning_effort"]}),
    Refusal("CherryHQ/cherry-studio#6155", openai("Unrecognized request argument supplied: enable_thinking", param=None, code=None), MANY, "field", {"refused": ["enable_thinking"]}),
    Refusal("OpenAI", openai("Unrecognized request arguments supplied: enable_thinking, num_keep"), MANY, "field", {"refused": ["enable_thinking", "num_keep"]}),
    Refusal("langgenius/dify-official-plugins#2263", json.dumps({"args": {}, "error": {"message": "Unrecognized request argument supplied: chat_template_kwargs (request id: 2026)"}}), MANY, "field", {"refused": ["chat_template_kwargs"]}),
    Refusal("appatalks/eva-agent#83", openai("Unsupported parameter: 'top_p' is not supported with this model.", param="top_p", code="unsupported_parameter"), MANY, "field", {"refused": ["top_p"]}),
    Refusal("router-for-me/CLIProxyAPI#2352", json.dumps({"detail": "Unsupported parameter: logit_bias"}), MANY, "field", {"refused": ["logit_bias"]}),
    Refusal("OpenAI", openai("Unknown parameter: 'seed'.", param="seed", code="unknown_parameter"), MANY, "field", {"refused": ["seed"]}),
    Refusal("a code alone", json.dumps({"error": {"message": "Bad request", "param": "seed", "code": "unknown_parameter"}}), MANY, "field", {"refused": ["seed"]}),
    Refusal("FastAPI", json.dumps({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 1}]}), MANY, "field", {"refused": ["seed"]}, status=422),
    Refusal("vLLM", json.dumps({"object": "error", "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted', 'input': 1}]", "type": "BadRequestError", "code": 400}), MANY, "field", {"refused": ["seed"]}),
    Refusal("Groq", openai("property 'logit_bias' is unsupported"), MANY, "field", {"refused": ["logit_bias"]}),
    Refusal("Go", openai('json: unknown field "prompt_cache_key"'), MANY, "field", {"refused": ["prompt_cache_key"]}),
    Refusal("serde", openai("unknown field `seed`, expected one of `model`, `messages`"), MANY, "field", {"refused": ["seed"]}),
    Refusal("Python", openai("Completions.create() got an unexpected keyword argument 'seed'"), MANY, "field", {"refused": ["seed"]}),
    Refusal("Anthropic", openai("`top_p` is deprecated for this model."), MANY, "field", {"refused": ["top_p"]}),
    Refusal("plain", openai("parameter parallel_tool_calls is not supported"), MANY, "field", {"refused": ["parallel_tool_calls"]}),
    Refusal("plain", openai("logit_bias is not supported by this model"), MANY, "field", {"refused": ["logit_bias"]}),
    Refusal("Chinese", openai("不支持的参数: seed"), MANY, "field", {"refused": ["seed"]}),
    Refusal("DeepSeek", openai("This response_format type is unavailable now"), PLAIN | {"response_format": {"type": "json_schema"}}, "field", {"refused": ["response_format"]}),
    # Values
    Refusal("TokenHub's form (QuantumNous/new-api#5330)", openai("invalid parameter 'seed'", code="400002"), MANY, "hint", {"refused": ["seed"]}, learns=False),
    Refusal("Moonshot", openai("invalid temperature: must be between 0 and 1"), PLAIN | {"temperature": 1.5}, "hint", {"refused": ["temperature"]}, learns=False),
    Refusal("TokenHub, inferred", openai("invalid parameter 'messages': reasoning_content is required", code="400002"), HISTORY, "reasoning-missing", REQUIRED),
    # Messages
    Refusal("decolua/9router#1468", anthropic("context_management: Extra inputs are not permitted"), MESSAGES, "field", {}, {"refused": ["context_management"]}, "anthropic"),
    Refusal("anthropics/claude-code#51700", openai('{"message":"context_management: Extra inputs are not permitted"}No fallback model group found'), MESSAGES, "field", {}, {"refused": ["context_management"]}, "anthropic"),
    Refusal("caozhiyuan/copilot-api#145", json.dumps({"message": "system.1.cache_control.ephemeral.scope: Extra inputs are not permitted"}), MESSAGES, "field", {}, {"refused_cache_control": ["scope"]}, "anthropic"),
    Refusal("pydantic", anthropic("tools.0.custom.defer_loading: Extra inputs are not permitted"), MESSAGES, "field", {}, {"refused": ["tools/*/defer_loading"]}, "anthropic"),
    Refusal("pydantic", anthropic("messages.0.content.0.text.citations: Extra inputs are not permitted"), MESSAGES, "field", {}, {"refused_block_fields": ["citations"]}, "anthropic"),
    Refusal("QuantumNous/new-api#2975", json.dumps({"error": {"type": "<nil>", "message": "Unexpected value(s) `prompt-caching-scope-2026-01-05`, `structured-outputs-2025-12-15` for the `anthropic-beta` header. Please consult our documentation (request id: 2026)"}, "type": "error"}), MESSAGES, "betas", {}, {"refused_betas": ["prompt-caching-scope-2026-01-05", "structured-outputs-2025-12-15"]}, "anthropic"),
    Refusal("router-for-me/CLIProxyAPI#4750", anthropic("invalid beta flag"), MESSAGES, "betas", {}, {"betas": []}, "anthropic"),
    Refusal("MoonshotAI/Kimi-K2#118", anthropic("failed to convert tool result content: unsupported content type in ContentBlockParamUnion: tool_reference"), MESSAGES, "block", {}, {"refused_blocks": ["tool_reference"]}, "anthropic"),
    Refusal("pydantic", anthropic("messages.0.content.1: Input tag 'document' found using 'type' does not match any of the expected tags: 'text', 'image'"), MESSAGES, "block", {}, {"refused_blocks": ["document"]}, "anthropic"),
    Refusal("pydantic", anthropic("messages.1.role: Input should be 'user' or 'assistant'"), MESSAGES, "role", {}, {"roles": ["user", "assistant"]}, "anthropic"),
    # Responses
    Refusal("Stack-Cairn/LiveAgent#334", openai("Unknown parameter: 'input[0].status'."), RESPONSES, "field", {}, {"refused": ["input/*/status"]}, "responses"),
    Refusal("OpenAI", openai("Unsupported parameter: 'top_logprobs' is not supported with this model."), RESPONSES, "field", {}, {"refused": ["top_logprobs"]}, "responses"),
]  # fmt: skip
