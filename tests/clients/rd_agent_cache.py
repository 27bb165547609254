"""RD-Agent's questions that the proxy's cache is to answer, printed as JSON: a script for RD-Agent's own Python.

Arguments: a scenario. The model's answers are numbered, so that two answers to one question differ. RD-Agent's own cache
is off: `BACKEND` is the example that hands its seeds to the proxy.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from typing import Any

from loguru import logger
from rdagent.core.utils import LLM_CACHE_SEED_GEN, multiprocessing_wrapper
from rdagent.oai.backend import litellm as backend
from rdagent.oai.llm_conf import LLM_SETTINGS
from rdagent.oai.llm_utils import APIBackend

logger.remove()
PROCESSES = 4


def ask(name: str, says: str = "[[sim:say answer]]", **more: Any) -> str:
    """One question, and its answer."""
    made = APIBackend(**more.pop("flags", {}))
    answer: str = made.build_messages_and_create_chat_completion(f"<{name}> {says}[[sim:numbered]]", **more)
    return answer


def seeded() -> list[list[str]]:
    """The same question twice, with RD-Agent's seed 10, with 20, and with 10 again."""
    LLM_SETTINGS.use_auto_chat_cache_seed_gen = True
    found = []
    for seed in (10, 20, 10):
        LLM_CACHE_SEED_GEN.set_seed(seed)
        found.append([ask("seeded") for _ in range(2)])
    return found


def processes() -> list[list[str]]:
    """The same in four processes at once, as RD-Agent starts them."""
    LLM_SETTINGS.use_auto_chat_cache_seed_gen = True
    found = []
    for seed in (10, 20, 10):
        LLM_CACHE_SEED_GEN.set_seed(seed)
        found.append(multiprocessing_wrapper([(ask, ("processes",)) for _ in range(PROCESSES)], n=PROCESSES))
    return found


def run() -> list[str]:
    """A run as an agent makes it: one question three times, another between them, one in a stream."""
    answers = [ask("run"), ask("run"), ask("other"), ask("run")]
    backend.LITELLM_SETTINGS.chat_stream = not backend.LITELLM_SETTINGS.chat_stream
    return [*answers, ask("streamed")]


def whole_run() -> list[str]:
    """The same, with streams and whole answers exchanged."""
    backend.LITELLM_SETTINGS.chat_stream = False
    return run()


def flags() -> list[str]:
    """Without a run: the same question twice, RD-Agent's own way to get another answer, and the question again."""
    return [ask("flags"), ask("flags"), ask("flags", flags={"use_chat_cache": False}), ask("flags")]


def models() -> list[str]:
    """The same question to another model, and with another temperature."""
    answers = [ask("models")]
    backend.LITELLM_SETTINGS.chat_model = "openai/hy3-preview"
    answers.append(ask("models"))
    backend.LITELLM_SETTINGS.chat_temperature = 0.9
    return [*answers, ask("models")]


def unusable() -> str:
    """An answer that is no JSON isn't given again: RD-Agent's next try gets another."""
    try:
        return ask("unusable", "[[sim:say no JSON]]", json_mode=True)
    except RuntimeError as error:
        return type(error).__name__


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")  # RD-Agent's own, on Linux
    sys.stdout.write(json.dumps([sys.argv[1], globals()[sys.argv[1]]()]) + "\n")
