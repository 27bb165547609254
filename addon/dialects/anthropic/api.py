"""What Anthropic's clients ask for beside messages: the list of models, whether there is a connection, telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ...exchange import JsonObject, Response
from ...profiles import Model, Profile
from ...rules.model_names import ALIAS
from ...wire import rule_names

_JSON = {"content-type": "application/json"}
_SHOWN = (ALIAS, "anthropic")
"""What the names of models begin with that Claude Code offers (docs/facts/anthropic.md#beside-messages)."""
_CLAUDE_CODE = "claude-cli/"
_UNKNOWN = datetime.fromtimestamp(0, UTC)
"""`created_at` where the endpoint gives none, as Anthropic's API has it for an unknown date."""


class AnthropicApi:
    """Anthropic's API without `/v1/messages`."""

    dialect = rule_names.ANTHROPIC
    base_part = "anthropic"
    own_headers: tuple[str, ...] = ("anthropic-",)

    def client(self, headers: Mapping[str, str]) -> str:
        """`claude-code`, which tries some statuses again and again, or `""`."""
        return "claude-code" if headers.get("user-agent", "").startswith(_CLAUDE_CODE) else ""

    def is_client(self, headers: Mapping[str, str]) -> bool:
        """Whether there is an `anthropic-version`: the API demands it, and each SDK sends it."""
        return "anthropic-version" in headers

    def answer(self, method: str, path: str) -> Response | None:
        """What Claude Code asks at its start, and its telemetry (docs/facts/anthropic.md#beside-messages)."""
        match method, path:
            case ("HEAD", "/" | "/api/hello"):
                return Response(200, {}, b"")
            case ("GET", "/api/hello"):
                return Response(200, dict(_JSON), b'{"message":"hello"}')
            case ("POST", path) if path.startswith("/api/event_logging/"):
                return Response(200, dict(_JSON), b"{}")
        return None

    def models(self, listed: JsonObject, profile: Profile, *, aliases: bool, window: int | None = None) -> JsonObject:
        """Each model under its own id, and under its alias if the profile knows it: only such names are read back."""
        data: list[JsonObject] = []
        items = listed.get("data")
        for given in items if isinstance(items, list) else ():
            if not isinstance(given, dict) or not isinstance(given.get("id"), str):
                continue
            model, created = profile.model(given["id"]), _time(given.get("created"))
            if model.embedding:
                continue
            names = [model.id]
            if aliases and model.id in profile.models and not model.id.startswith(_SHOWN):
                names.append(ALIAS + model.id)
            data += [_entry(name, model, created, window) for name in names]
        ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return {"data": data, "has_more": False, "first_id": ends[0], "last_id": ends[1]}


def _entry(name: str, model: Model, created: datetime, window: int | None) -> JsonObject:
    entry: JsonObject = {
        "type": "model",
        "id": name,
        "display_name": model.id,
        "created_at": created.isoformat().replace("+00:00", "Z"),
    }
    if limit := window or model.input or model.context:
        entry["max_input_tokens"] = limit
    if model.output:
        entry["max_tokens"] = model.output
    return entry


def _time(created: object) -> datetime:
    if not isinstance(created, int) or isinstance(created, bool):
        return _UNKNOWN
    try:
        return datetime.fromtimestamp(created, UTC)
    except (OverflowError, ValueError, OSError):
        return _UNKNOWN
