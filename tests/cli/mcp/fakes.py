"""An admin server that answers what a test says, and exchanges as one tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hunyuan_fix.cli.mcp.admin_api import AdminApi, NotThere, Unanswered
from hunyuan_fix.cli.mcp.choosing import Asked
from hunyuan_fix.cli.mcp.report import Report
from hunyuan_fix.cli.mcp.tool import TOOLS
from hunyuan_fix.exchange import JsonObject

BY_NAME = {tool.name: tool for tool in TOOLS}
ID = "5b37e441-0274-4aed-90ed-d3176dc2deac"
SESSION = "0123456789abcdef0123456789abcdef"


class FakeApi(AdminApi):
    """Answers by path; another path isn't there. What was asked is kept."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9464")
        self.answers = dict(answers)
        self.asked: list[tuple[str, dict[str, object]]] = []

    async def get(self, path: str, **parameters: object) -> JsonObject:
        self.asked.append((path, {name: value for name, value in parameters.items() if value not in (None, "")}))
        answer = self.answers.get(path)
        if isinstance(answer, Unanswered):
            raise answer
        if answer is None:
            raise NotThere("There is nothing at this path.", "admin_no_such_path")
        assert isinstance(answer, dict)
        return answer


async def answered(api: AdminApi, tool: str, asker: str = "", /, **values: object) -> Report:
    """What a tool answers to an agent of the program `asker`."""
    return await BY_NAME[tool].answer(Asked(api, values, asker))


def exchange(number: int = 0, **more: object) -> JsonObject:
    """An exchange that is over, as `/api/exchanges` has it."""
    return {
        "id": f"{number:08d}{ID[8:]}",
        "at": 1_795_000_000.0 + number,
        "last": "done",
        "over": True,
        "model": "hy3",
        "sent_model": "hy3",
        "program": "opencode",
        "client": "",
        "session": SESSION,
        "dialect": "chat",
        "mode": "repair",
        "status": 200,
        "how": "answered",
        "outcome": "200",
        "failure": "",
        "error": "",
        "left": False,
        "rewritten": True,
        "rules": ["merge", "parameters"],
        "changes": 3,
        "usage": {"input": 100, "cached": 40, "output": 10},
        "ms": 1200.0,
        "addon_ms": 5.0,
        "vision_ms": 0.0,
        "queue_ms": 0.0,
        "first_byte_ms": 300.0,
        "tries": 1,
        **more,
    }


def listed(*exchanges: JsonObject) -> dict[str, Any]:
    """The answers of an admin server with these exchanges, the newest first, that has no page yet."""
    one = {f"/api/exchanges/{each['id']}": {"exchange": each, "events": []} for each in exchanges}
    return {"/api/exchanges": {"exchanges": list(exchanges), "next": None}, **one}
