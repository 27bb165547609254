"""A backend for RD-Agent that tells hunyuan-fix what each of its calls is for. In RD-Agent's `.env`:

    BACKEND=hunyuan_backend.HunyuanBackend

and its folder in PYTHONPATH. Nothing of RD-Agent is changed: `BACKEND` is a setting of its own. docs/rd-agent.md says
what each header does.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

import litellm
from rdagent.core.utils import LLM_CACHE_SEED_GEN
from rdagent.log import rdagent_logger
from rdagent.oai.backend.litellm import LITELLM_SETTINGS, LiteLLMAPIBackend
from rdagent.oai.llm_conf import LLM_SETTINGS

RUN = "HUNYUAN_RUN"
"""Variable with the name of a run, or NAME/TAKE: the n-th identical request of a take gets the n-th answer."""


class HunyuanBackend(LiteLLMAPIBackend):  # type: ignore[misc] # RD-Agent has no types
    """RD-Agent's LiteLLM backend, with the headers that the proxy reads, and refusals of content that end a loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # RD-Agent's own way to ask once more where a kept answer was no good.
        self._wants_another = kwargs.get("use_chat_cache") is False
        self._has_failed = False
        self._run = run_of(None)

    def _create_chat_completion_auto_continue(self, *args: Any, seed: int | None = None, **kwargs: Any) -> str:
        """Ask; an answer that RD-Agent can't use isn't to come from the proxy's cache again."""
        if seed is None and LLM_SETTINGS.use_auto_chat_cache_seed_gen:
            seed = LLM_CACHE_SEED_GEN.get_next_seed()
        self._run = run_of(seed)
        try:
            answer: str = super()._create_chat_completion_auto_continue(*args, seed=seed, **kwargs)
        except Exception:
            self._has_failed = True
            raise
        self._has_failed = False
        return answer

    def _create_chat_completion_inner_function(
        self, messages: list[dict[str, Any]], response_format: Any = None, *args: Any, **kwargs: Any
    ) -> tuple[str, str | None]:
        """One call of the model. Raises what RD-Agent takes for a refusal of content, where it is one."""
        headers = self._headers()
        if response_format:  # LiteLLM leaves it out of the request of a model that isn't in its list
            headers["x-hunyuan-json"] = "repair"
        try:
            answer: tuple[str, str | None] = super()._create_chat_completion_inner_function(
                messages, response_format, *args, extra_headers=headers, **kwargs
            )
        except litellm.BadRequestError as error:
            if code_of(error) != "content_policy_violation":
                raise
            raise error from litellm.ContentPolicyViolationError(
                message=str(error), model=LITELLM_SETTINGS.chat_model, llm_provider="hunyuan-fix"
            )
        return answer

    def _create_embedding_inner_function(self, input_content_list: list[str]) -> list[list[float]]:
        """One embeddings call."""
        model = LITELLM_SETTINGS.embedding_model
        answer = litellm.embedding(model=model, input=input_content_list, extra_headers=self._headers())
        return [row["embedding"] for row in answer.data]

    def _headers(self) -> dict[str, str]:
        """What the proxy is told of a call: the step of the workflow, the run, whether a kept answer is any good."""
        headers = {"x-hunyuan-tag": str(rdagent_logger._tag or "-")}
        if self._run:
            headers["x-hunyuan-run"] = self._run  # there the next answer comes by itself
        elif self._wants_another or self._has_failed:
            headers["x-hunyuan-cache"] = "refresh"
        return headers


def run_of(seed: int | None) -> str:
    """What is said of the run: its name, or a part of it for each of RD-Agent's cache seeds; `""` where there is none.

    With a seed each question is the first of a take of its own: the same seed brings the same answer.
    """
    run = os.environ.get(RUN, "")
    if not run or seed is None:
        return run
    return f"{run.partition('/')[0]}-{seed}/{uuid.uuid4().hex}"


def code_of(error: Exception) -> str:
    """The code of an endpoint's error, as the proxy has made it: LiteLLM's classes go by its words alone."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    return str(inner.get("code", "")) if isinstance(inner, dict) else ""
