"""What clients of the Responses API ask for beside responses: Codex's list of models."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject, Response
from ...profiles import Profile
from ...wire import rule_names
from .catalogue import catalogue


class ResponsesApi:
    """OpenAI's API without `/v1/responses`, as far as it isn't the house language's own."""

    dialect = rule_names.RESPONSES
    base_part = ""
    own_headers: tuple[str, ...] = (
        "x-codex-",
        "x-openai-internal-",
        "openai-beta",
        "originator",
        "session-id",
        "thread-id",
    )

    def client(self, headers: Mapping[str, str]) -> str:
        """`codex`, which tries every status but 400 again and again, or `""`."""
        return "codex" if self.is_client(headers) else ""

    def is_client(self, headers: Mapping[str, str]) -> bool:
        """Whether it is Codex, in any of its forms: `codex_exec`, `codex-tui`, `codex_vscode`. SDKs can't be told."""
        return any(headers.get(name, "").lower().startswith("codex") for name in ("originator", "user-agent"))

    def answer(self, method: str, path: str) -> Response | None:
        """Nothing: Codex sends no telemetry to its endpoint."""
        return None

    def models(self, listed: JsonObject, profile: Profile, *, aliases: bool, window: int | None = None) -> JsonObject:
        """OpenAI's list, and beside it Codex's catalogue, which has another key."""
        items = listed.get("data")
        ids = [item.get("id") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        return {**listed, **catalogue((id for id in ids if isinstance(id, str)), profile, window)}
