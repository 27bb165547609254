"""RD-Agent's questions that the proxy's cache is to answer, printed as JSON: a script for RD-Agent's own Python.

Arguments: SCENARIO@RUN, one after the other; the run may be empty. The answers of the model are numbered, so that two
answers to one question differ. RD-Agent keeps nothing itself: `BACKEND` is the example that hands its seeds on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    found = []
    with changed(use_auto_chat_cache_seed_gen=True):
        for seed in (10, 20, 10):
            LLM_CACHE_SEED_GEN.set_seed(seed)
            found.append([ask("seeded") for _ in range(2)])
    return found


def processes() -> list[list[str]]:
    """The same in four processes at once, as RD-Agent starts them."""
    found = []
    with changed(use_auto_chat_cache_seed_gen=True):
        for seed in (10, 20, 10):
            LLM_CACHE_SEED_GEN.set_seed(seed)
            found.append(multiprocessing_wrapper([(ask, ("processes",)) for _ in range(PROCESSES)], n=PROCESSES))
    return found


def run() -> list[str]:
    """A run as an agent makes it: one question three times, another between them; streamed, then whole."""
    answers = [ask("run"), ask("run"), ask("other"), ask("run")]
    with changed(chat_stream=False):
        return [*answers, ask("whole")]


def run_otherwise() -> list[str]:
    """The same, with streams and whole answers exchanged."""
    with changed(chat_stream=False):
        answers = [ask("run"), ask("run"), ask("other"), ask("run")]
    return [*answers, ask("whole")]


def flags() -> list[str]:
    """Without a run: the same question twice, RD-Agent's own way to get another answer, and the question again."""
    return [ask("flags"), ask("flags"), ask("flags", flags={"use_chat_cache": False}), ask("flags")]


def models() -> list[str]:
    """The same question to another model, and with another temperature."""
    answers = [ask("models")]
    with changed(chat_model="openai/hy3-preview"):
        answers.append(ask("models"))
        with changed(chat_temperature=0.9):
            return [*answers, ask("models")]


def models_by_itself() -> list[str]:
    """The same with RD-Agent's own cache."""
    with changed(backend="rdagent.oai.backend.LiteLLMAPIBackend", use_chat_cache=True, dump_chat_cache=True):
        return models()


def unusable() -> str:
    """JSON of a wrong type isn't given again: RD-Agent's next try gets another answer."""
    try:
        return ask("unusable", '[[sim:say {"a": "x"}]]', json_mode=True, json_target_type=dict[str, int])
    except RuntimeError as error:
        return type(error).__name__


@contextmanager
def changed(**settings: Any) -> Iterator[None]:
    """Other settings, in both of RD-Agent's objects."""
    before = {name: getattr(LLM_SETTINGS, name) for name in settings}
    try:
        for made in (LLM_SETTINGS, backend.LITELLM_SETTINGS):
            for name, value in settings.items():
                setattr(made, name, value)
        yield
    finally:
        for made in (LLM_SETTINGS, backend.LITELLM_SETTINGS):
            for name, value in before.items():
                setattr(made, name, value)


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")  # RD-Agent's own, on Linux
    for argument in sys.argv[1:]:
        scenario, _, os.environ["HUNYUAN_RUN"] = argument.partition("@")
        try:
            found: Any = globals()[scenario]()
        except Exception as error:
            found = {"raised": f"{type(error).__name__}: {error}"[:500]}
        sys.stdout.write(json.dumps([argument, found]) + "\n")
