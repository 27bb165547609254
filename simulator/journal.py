"""What the simulator has seen: the last requests as they came, and counts."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .billing import Bill, Billing
from .codec import decode, encode
from .rows import Json, Problem

KEPT_REQUESTS = 200
KEPT_BYTES = 64 * 2**20
KEPT_DIGESTS = 20_000


@dataclass(slots=True)
class Request:
    """One request as received, and how it was answered: status 0 until then, `row` where it was refused.

    `reasoning`: which reasoning came back in it, as `thoughts.Thoughts.judge` says; `None` where nothing was asked.
    `bill`: what its answer costs; `None` for none.
    """

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    http_version: str
    status: int = 0
    row: str = ""
    detail: str = ""
    reasoning: list[Json] | None = None
    bill: Bill | None = None

    def header(self, name: str) -> str:
        """The first header of that lower-case name, or ""."""
        return next((value for key, value in self.headers if key == name), "")

    def as_json(self) -> Json:
        """The request as `/_sim/requests` shows it: the body as JSON if it is, else as text."""
        try:
            body = decode(self.body)
        except ValueError:
            body = self.body.decode("utf-8", "replace")
        return {
            "method": self.method,
            "path": self.path,
            "headers": [list(header) for header in self.headers],
            "body": body,
            "http_version": self.http_version,
            "status": self.status,
            "row": self.row,
            "detail": self.detail,
            "reasoning": self.reasoning or [],
        }


class Journal:
    """Counts since the last reset, and the last 200 requests (fewer if they are large)."""

    def __init__(self, record: Path | None = None) -> None:
        self._record = record
        self.active = 0
        self.billing = Billing()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the requests under way."""
        self.requests: deque[Request] = deque()
        self._bytes = 0
        self.by_path = Counter[str]()
        self.by_status = Counter[int]()
        self.by_row = Counter[str]()
        self.by_reasoning = Counter[str]()
        self.repeats = 0
        self._asked = set[bytes]()
        self.max_concurrency = self.active
        self.vision_calls = 0
        self.disconnects = 0
        self.billing.reset()

    def begin(self) -> Callable[[], None]:
        """A request has begun to arrive. The function returned says that it is over; the first call counts."""
        self.active += 1
        self.max_concurrency = max(self.max_concurrency, self.active)
        over = False

        def end() -> None:
            nonlocal over
            self.active -= not over
            over = True

        return end

    def received(self, request: Request) -> None:
        """Keep `request`, and forget the oldest ones."""
        self.by_path[request.path] += 1
        self.requests.append(request)
        self._bytes += len(request.body)
        while len(self.requests) > KEPT_REQUESTS or (self._bytes > KEPT_BYTES and len(self.requests) > 1):
            self._bytes -= len(self.requests.popleft().body)
        if self._record is not None:
            shown = request.as_json()
            shown["headers"] = [
                header for header in shown["headers"] if header[0] not in ("authorization", "x-api-key")
            ]
            with self._record.open("ab") as file:
                file.write(encode(shown) + b"\n")

    def asked(self, request: Request, messages: object, reasoning: list[Json]) -> None:
        """Note that `request` asks for an answer to `messages`, and what came back of what the model thought."""
        request.reasoning = reasoning
        self.by_reasoning.update(one["what"] for one in reasoning)
        digest = hashlib.sha256(encode(messages)).digest()
        self.repeats += digest in self._asked
        if len(self._asked) >= KEPT_DIGESTS:
            self._asked.clear()
        self._asked.add(digest)

    def refused(self, request: Request, problem: Problem) -> None:
        """Note the row that `request` was refused for."""
        request.row, request.detail = problem.row, problem.detail
        self.by_row[problem.row] += 1

    def answered(self, request: Request, status: int) -> None:
        """Note the status line that `request` was answered with."""
        request.status = status
        self.by_status[status] += 1

    def stats(self) -> Json:
        """The counts as `/_sim/stats` shows them."""
        return {
            "requests": self.by_path.total(),
            "by_path": dict(self.by_path),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "by_row": dict(self.by_row),
            "by_reasoning": dict(self.by_reasoning),
            "repeats": self.repeats,
            "active": self.active,
            "max_concurrency": self.max_concurrency,
            "vision_calls": self.vision_calls,
            "disconnects": self.disconnects,
        }
