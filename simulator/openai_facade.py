"""Which parts of OpenAI's Responses API an endpoint takes (docs/facts/tokenhub.md#responses)."""

from collections.abc import Collection
from dataclasses import dataclass

from . import models
from .rows import ProfileName

_SERVER_TOOLS = (
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "mcp",
    "programmatic_tool_calling",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)
_LOCAL_TOOLS = ("apply_patch", "local_shell", "shell")
TOOL_HINTS = {
    "custom": "custom_tools",
    "namespace": "namespaces",
    "tool_search": "tool_search",
    **dict.fromkeys(_LOCAL_TOOLS, "local_tools"),
    **dict.fromkeys(_SERVER_TOOLS, "server_tools"),
}
ITEM_HINTS = {
    "additional_tools": "additional_tools",
    "compaction": "compaction",
    "compaction_trigger": "compaction",
    "custom_tool_call": "custom_tools",
    "custom_tool_call_output": "custom_tools",
    "item_reference": "storage",
    "tool_search_call": "tool_search",
    "tool_search_output": "tool_search",
    **dict.fromkeys(("apply_patch_call", "local_shell_call", "shell_call"), "local_tools"),
    **dict.fromkeys(("apply_patch_call_output", "local_shell_call_output", "shell_call_output"), "local_tools"),
    **dict.fromkeys(
        (
            "code_interpreter_call",
            "computer_call",
            "computer_call_output",
            "file_search_call",
            "image_generation_call",
            "mcp_approval_request",
            "mcp_approval_response",
            "mcp_call",
            "mcp_list_tools",
            "program",
            "program_output",
            "web_search_call",
        ),
        "server_tools",
    ),
}
HINTS = frozenset({*TOOL_HINTS.values(), *ITEM_HINTS.values(), "files", "models", "outputs_alone"})
"""The parts of Responses that endpoints of other vendors refuse. `models`: every model of the endpoint speaks it, else
only those that the catalogue says do; `outputs_alone`: the output of a function that no call of the input asked for."""


@dataclass(frozen=True, slots=True)
class Facade:
    """An endpoint's Responses API: the profile whose models it has, the hints that it takes, the words it refuses with.

    `openai_words`: it refuses in the words of OpenAI's API, else in its vendor's.
    """

    profile: ProfileName
    takes: frozenset[str] = frozenset()
    openai_words: bool = False


def takes(names: Collection[str]) -> frozenset[str]:
    """The hints of these names, `all` for every one. Raises ValueError for one that there isn't."""
    if unknown := set(names) - HINTS - {"all"}:
        raise ValueError(f"unknown hint {sorted(unknown)[0]!r}; known: all, {', '.join(sorted(HINTS))}")
    return HINTS if "all" in names else frozenset(names)


def speaks(model_id: object, facade: Facade) -> bool:
    """Whether the endpoint answers Responses for this model at all, be it with a refusal."""
    model = models.find(facade.profile, model_id)
    return model is None or model.responses or "models" in facade.takes
