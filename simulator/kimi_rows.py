"""What Moonshot's endpoint, and those that relay it, answer for each row, word for word (docs/facts/kimi.md#errors).

Texts that no report shows are inferred: those of the rows tool, stop, partial, echo, builtin, effort and of unknown
fields. The rows that begin with a letter and a number mean what they mean in `rows`.
"""

from collections.abc import Mapping

from .refusal import Refusal

_REQUEST = "invalid_request_error"

KIMI: Mapping[str, Refusal] = {
    "A4": Refusal(
        429,
        "Your account org-sim<ak-sim> request reached organization max RPM: 20, please try again after 1 seconds",
        "rate_limit_reached_error",
    ),
    "A4b": Refusal(
        429,
        "Your account org-sim<ak-sim> request reached organization TPM rate limit, current: 1, limit: 1",
        "rate_limit_reached_error",
    ),
    "A5": Refusal(404, "Not found the model {subject} or Permission denied", "resource_not_found_error"),
    "A6": Refusal(400, "Invalid request: {subject}", _REQUEST),
    "A8": Refusal(
        429,
        "Your account org-sim<ak-sim> is suspended due to insufficient balance, please recharge your account or check "
        "your plan and billing details",
        "exceeded_current_quota_error",
    ),
    "A9": Refusal(500, "server error", "server_error"),
    "A10": Refusal(404, "Not found the model {subject} or Permission denied", "resource_not_found_error"),
    "A11": Refusal(401, "Invalid Authentication", "invalid_authentication_error"),
    "B10": Refusal(400, "Invalid request: {subject} is required", _REQUEST),
    "agent": Refusal(
        403,
        "Kimi For Coding is currently only available for Coding Agents such as Kimi CLI, Claude Code, Roo Code, Kilo "
        "Code, etc.",
        "access_terminated_error",
    ),
    "builtin": Refusal(400, "tool type 'builtin_function' is incompatible with thinking enabled", _REQUEST),
    "bytes": Refusal(400, "total message size {subject} exceeds limit 4194304", _REQUEST),
    "choice": Refusal(400, "tool_choice '{subject}' is incompatible with thinking enabled", _REQUEST),
    "echo": Refusal(400, "Invalid request: the arguments of $web_search must be returned unchanged", _REQUEST),
    "effort": Refusal(400, "invalid reasoning_effort: only low, high, max are allowed for this model", _REQUEST),
    "empty": Refusal(400, "Invalid request: the message at position {subject} must not be empty", _REQUEST),
    "fixed": Refusal(400, "invalid {subject} is allowed for this model", _REQUEST),
    "image": Refusal(400, "Invalid request: unsupported image url", _REQUEST),
    "input": Refusal(400, "Invalid request: input is invalid", _REQUEST),
    "moderation": Refusal(400, "The request was rejected because it was considered high risk", "content_filter"),
    "overflow": Refusal(400, "Invalid request: Your request exceeded model token limit: {subject}", _REQUEST),
    "overload": Refusal(429, "The engine is currently overloaded, please try again later", "engine_overloaded_error"),
    "pairing": Refusal(
        400,
        "Invalid request: an assistant message with 'tool_calls' must be followed by tool messages responding to each "
        "'tool_call_id'. The following tool_call_ids did not have response messages: {subject}",
        _REQUEST,
    ),
    "path": Refusal(404, "The requested resource was not found", "resource_not_found_error"),
    "reasoning": Refusal(400, "thinking is enabled but reasoning_content is missing in assistant {subject}", _REQUEST),
    "reasoning-deepseek": Refusal(
        400, "The `reasoning_content` in the thinking mode must be passed back to the API.", _REQUEST
    ),
    "role": Refusal(400, "Invalid request: role '{subject}' is not allowed", _REQUEST),
    "schema": Refusal(
        400,
        "Invalid request: tools.function.parameters is not a valid moonshot flavored json schema, details: {subject}",
        _REQUEST,
    ),
    "sight": Refusal(400, "Invalid request: Image input not supported for model {subject}", _REQUEST),
    "stop": Refusal(400, "Invalid request: stop {subject}", _REQUEST),
    "stray": Refusal(400, "Invalid request: tool_call_id {subject} is not found", _REQUEST),
    "thinking": Refusal(400, "invalid thinking: {subject}", _REQUEST),
    "tool": Refusal(
        400,
        "Invalid request: function name is invalid, must start with a letter and can contain letters, numbers, "
        "underscores, and dashes",
        _REQUEST,
    ),
    "tool_reference": Refusal(
        400,
        "failed to convert tool result content: unsupported content type in ContentBlockParamUnion: tool_reference",
        _REQUEST,
    ),
    "unknown": Refusal(400, "Invalid request: unknown parameter '{subject}'", _REQUEST),
    "value": Refusal(400, "invalid {subject}", _REQUEST),
}
