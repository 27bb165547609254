"""Refusals of content as vendors spell them: status and error object."""

from __future__ import annotations

from hunyuan_fix.exchange import JsonObject

CODE = "content_policy_violation"
AZURE = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry."
)
RISK = "The request was rejected because it was considered high risk"
VENDORS: dict[str, tuple[int, JsonObject]] = {
    "moonshot": (
        400,
        {"message": "The request was rejected because it was considered high risk", "type": "content_filter"},
    ),
    "moonshot, in Messages": (
        400,
        {"message": RISK, "type": "invalid_request_error"},
    ),
    "tokenhub": (451, {"type": "content_filter_error", "code": "451001", "message": "content blocked by moderation"}),
    "tokenhub, behind a gateway": (502, {"type": "upstream_error", "code": 451001, "message": "blocked"}),
    "deepseek": (
        400,
        {"message": "Content Exists Risk", "type": "invalid_request_error", "code": "invalid_request_error"},
    ),
    "dashscope": (
        400,
        {"code": "data_inspection_failed", "type": "data_inspection_failed", "message": "Output data may contain …"},
    ),
    "dashscope, natively": (
        400,
        {"message": "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain …."},
    ),
    "openrouter": (
        403,
        {
            "code": 403,
            "message": 'openai/o3 requires moderation on OpenAI. Your input was flagged for "violence". No credits …',
            "metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "OpenAI"},
        },
    ),
    "azure": (400, {"message": AZURE, "type": None, "param": "prompt", "code": "content_filter", "status": 400}),
    "azure, in words": (400, {"message": AZURE, "code": None}),
    "azure, blocked": (
        429,
        {
            "message": "Your resource has been temporarily blocked because we detected behavior that may violate our "
            "content policy.",
            "code": "429",
        },
    ),
    "openai": (
        400,
        {"message": "It was refused.", "type": "image_generation_user_error", "code": "moderation_blocked"},
    ),
    "openai, flagged": (
        400,
        {
            "message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            "type": "invalid_request_error",
            "code": "invalid_prompt",
        },
    ),
    "anthropic": (400, {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"}),
    "zenmux, of another vendor": (400, {"code": CODE, "type": "provider_error", "message": "refused upstream"}),
    "hunyuan": (400, {"code": "OperationDenied.TextIllegalDetected", "message": "文本包含违法违规信息，审核不通过"}),
    "hunyuan, behind a gateway": (500, {"code": "500", "message": "文本包含违法违规信息，审核不通过"}),
    "glm": (400, {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入"}),
    "minimax": (500, {"type": "api_error", "message": "input new_sensitive (1026)"}),
    "ark": (400, {"code": "InputTextSensitiveContentDetected", "message": "The request failed", "type": "BadRequest"}),
    "stepfun": (451, {"type": "censorship_blocked", "message": "The content you provided was blocked"}),
    "xai": (403, {"code": "The caller lacks permission", "message": "Content violates usage guidelines. Team: …"}),
}
