"""A strict reader of Responses event streams, written apart from the writer: it refuses what clients stumble over.

It holds bytes against the sequence that OpenAI's types describe and against what Codex and the SDKs were seen to need
(an item that isn't done is lost, a delta needs its item, the last event has all items), and gives the response that a
client puts together.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

EVENT = re.compile(rb"event: ([a-z_.]+)\ndata: ([^\n]*)\n\n")
RESPONSE = {"id", "object", "created_at", "status", "model", "output", "parallel_tool_calls", "tool_choice", "tools"}
"""What every response object has: the fields that the SDK's type requires, and the two that say how it stands."""
ENDINGS = {"response.completed", "response.incomplete", "response.failed"}
REASONS = {"max_output_tokens", "content_filter"}
PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "web_search_call": "ws_",
    "compaction": "cmp_",
}
CALLS = {
    "apply_patch_call": {"operation"},
    "custom_tool_call": {"name", "input"},
    "function_call": {"name", "arguments"},
    "local_shell_call": {"action"},
    "shell_call": {"action"},
    "tool_search_call": {"arguments", "execution"},
}
"""The items that a client runs, with the fields that it needs beside `call_id`."""
PIECES = {"function_call": "arguments", "custom_tool_call": "input"}
"""The field that comes in pieces, by the type of the item."""
PARTS: dict[str, dict[str, Any]] = {
    "output_text": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
    "refusal": {"type": "refusal", "refusal": ""},
    "reasoning_text": {"type": "reasoning_text", "text": ""},
    "summary_text": {"type": "summary_text", "text": ""},
}
"""How a part begins."""
SEARCHES = ["in_progress", "searching", "completed"]


class OutOfOrder(AssertionError):
    """A client would read the stream wrongly."""


@dataclass
class Read:
    """What a client makes of a stream."""

    response: dict[str, Any] | None = None
    """The response of the last event that has one."""
    error: dict[str, Any] | None = None
    """The error that ended the stream: of a failed response, or an event of its own."""
    complete: bool = False
    """Whether the last event says that the response is completed or incomplete."""
    names: list[str] = field(default_factory=list)
    """The names of all events."""


def read(data: bytes) -> Read:
    """Read a whole stream. Raises `OutOfOrder`."""
    reader = _Reader()
    for name, event in events(data):
        reader.take(name, event)
    return reader.end()


def response_in(data: bytes) -> dict[str, Any]:
    """The response of a stream that is complete. Raises `OutOfOrder`."""
    found = read(data)
    _want(found.complete and found.response is not None, "the response isn't complete")
    assert found.response is not None
    return found.response


def events(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of all events; comments are skipped. Raises `OutOfOrder` for bytes that are neither."""
    found, place = [], 0
    while place < len(data):
        if data.startswith(b":", place):
            place = data.index(b"\n\n", place) + 2
            continue
        match = EVENT.match(data, place)
        _want(match is not None, f"no event at byte {place}: {data[place : place + 80]!r}")
        assert match is not None
        value = json.loads(match[2], parse_constant=_refuse)
        _want(isinstance(value, dict) and value.get("type") == match[1].decode(), "event and type differ")
        json.dumps(value, ensure_ascii=False).encode()  # raises for half a character
        found.append((match[1].decode(), value))
        place = match.end()
    return found


def check_response(response: Any, status: str) -> None:
    """Hold a response object, whole or of an event, against its type. Raises `OutOfOrder`."""
    _want(isinstance(response, dict) and response.keys() >= RESPONSE, f"fields of the response: {sorted(response)}")
    _want(re.fullmatch(r"resp_[A-Za-z0-9_-]{1,64}", str(response["id"])) is not None, f"its id: {response['id']}")
    _want(response["object"] == "response" and response["status"] == status, f"its status: {response['status']}")
    _want(isinstance(response["created_at"], int | float) and isinstance(response["model"], str), "its time and model")
    _want(isinstance(response["parallel_tool_calls"], bool), "its parallel_tool_calls")
    _want(isinstance(response["tool_choice"], str | dict), "its tool_choice")
    _want(isinstance(response["tools"], list) and isinstance(response["output"], list), "its tools and output")
    failed, cut = status == "failed", status == "incomplete"
    _want((response.get("error") is not None) == failed, "an error in a failed response, and in no other")
    _want((response.get("incomplete_details") is not None) == cut, "incomplete_details")
    if failed:
        _error(response["error"])
    if cut:
        _want(response["incomplete_details"].get("reason") in REASONS, "the reason why it is incomplete")
    if status == "in_progress":
        _want(response["output"] == [] and response.get("usage") is None, "a response in progress has no output yet")
    elif not failed or response.get("usage") is not None:
        _usage(response.get("usage"))
    for item in response["output"]:
        check_item(item)
    ids = [item["id"] for item in response["output"]]
    calls = [item["call_id"] for item in response["output"] if item["type"] in CALLS]
    _want(len(set(ids)) == len(ids) and len(set(calls)) == len(calls), "ids are used once")


def check_item(item: Any) -> None:
    """Hold an output item that is done against its type. Raises `OutOfOrder`."""
    _want(isinstance(item, dict) and isinstance(item.get("type"), str), "an item")
    kind, prefix = item["type"], PREFIXES.get(item["type"], "")
    _want(re.fullmatch(rf"{prefix}[A-Za-z0-9_-]{{1,64}}", str(item.get("id"))) is not None, f"id of the {kind}")
    if kind in CALLS:
        _want(item.keys() >= CALLS[kind] | {"call_id", "status"}, f"fields of the {kind}: {sorted(item)}")
        _want(isinstance(item["call_id"], str) and item["call_id"] != "", "its call_id")
        _want(item.get("name", "x") != "" and item.get("namespace", "x") != "", "its name and namespace")
        _want(item["status"] in ("completed", "incomplete"), "its status")
        wanted = str if kind in PIECES else dict
        fields = CALLS[kind] - {"name", "execution"}
        _want(all(isinstance(item[name], wanted) for name in fields), f"what the {kind} is for")
    elif kind == "message":
        _want(item.keys() - {"phase"} == {"type", "id", "status", "role", "content"}, f"fields: {sorted(item)}")
        _want(item["role"] == "assistant" and item["status"] in ("completed", "incomplete"), "its role and status")
        _want(item["content"] != [], "a message without content")
        for part in item["content"]:
            _want(part["type"] in ("output_text", "refusal"), f"a part {part['type']}")
            _want(part.keys() == PARTS[part["type"]].keys(), f"fields of the {part['type']}: {sorted(part)}")
    elif kind == "reasoning":
        _want(item.keys() <= {"type", "id", "status", "summary", "content", "encrypted_content"}, "fields of reasoning")
        for name, part_type in (("summary", "summary_text"), ("content", "reasoning_text")):
            _want(isinstance(item.get(name, []), list) and "summary" in item, f"its {name}")
            _want(all(part.keys() == {"type", "text"} for part in item.get(name, ())), f"parts of its {name}")
            _want(all(part["type"] == part_type for part in item.get(name, ())), f"parts of its {name}")
    elif kind == "compaction":
        _want(isinstance(item.get("encrypted_content"), str), "what is compacted")
    else:
        _want(kind == "web_search_call", f"an item {kind}")
        _want(item.get("status") in ("completed", "failed") and isinstance(item.get("action"), dict), "a search")


def _refuse(constant: str) -> None:
    raise OutOfOrder(f"{constant} is no JSON")


def _want(holds: bool, why: str) -> None:
    if not holds:
        raise OutOfOrder(why)


def _error(error: Any) -> None:
    _want(isinstance(error, dict) and error.keys() >= {"code", "message"}, f"fields of the error: {error}")
    _want(isinstance(error["message"], str) and error["message"] != "", "its message")
    _want(isinstance(error["code"], str) and error["code"] != "", "its code")


def _usage(usage: Any) -> None:
    _want(isinstance(usage, dict), "no usage")
    wanted = {"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"}
    _want(usage.keys() == wanted, f"usage: {sorted(usage)}")
    read, written = usage["input_tokens_details"], usage["output_tokens_details"]
    _want(read.keys() - {"cache_write_tokens"} == {"cached_tokens"}, f"input_tokens_details: {read}")
    _want(written.keys() == {"reasoning_tokens"}, f"output_tokens_details: {written}")
    totals = [usage[name] for name in ("input_tokens", "output_tokens", "total_tokens")]
    _want(all(type(count) is int and count >= 0 for count in (*totals, *read.values(), *written.values())), "a count")
    _want(totals[0] + totals[1] == totals[2], "the total")


class _Reader:
    def __init__(self) -> None:
        self._read = Read()
        self._ended = False
        self._first: dict[str, Any] = {}
        self._items: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        """The item that is under way, as it has grown."""
        self._part: dict[str, Any] | None = None
        """The part of it that is under way."""
        self._said = False
        """Whether the text of the part, or the pieces of the item, have been said whole."""
        self._searches = 0

    def take(self, name: str, event: dict[str, Any]) -> None:
        _want(not self._ended, f"{name} after the end")
        number = event.get("sequence_number")
        _want(type(number) is int and number == len(self._read.names), f"{name}: sequence_number {number}")
        self._read.names.append(name)
        if name == "error":
            _want(set(event) == {"type", "sequence_number", "code", "message", "param"}, f"error: {sorted(event)}")
            _error({**event, "code": event["code"] or "none"})
            self._read.error, self._ended = event, True
            return
        order = len(self._read.names) - 1
        _want((order == 0) == (name == "response.created"), f"{name}: response.created comes first and once")
        _want(order != 1 or name == "response.in_progress", f"{name}: response.in_progress comes second")
        if name in ENDINGS:
            self._end(name.removeprefix("response."), event)
        elif name in ("response.created", "response.in_progress"):
            self._progress(event)
        elif name == "response.output_item.added":
            self._item_added(event)
        else:
            self._inside(name, event)

    def end(self) -> Read:
        _want(self._ended, "the stream ends before the response")
        return self._read

    # The response

    def _progress(self, event: dict[str, Any]) -> None:
        """It may come again: it keeps the client awake."""
        _want(set(event) == {"type", "sequence_number", "response"}, f"fields: {sorted(event)}")
        check_response(event["response"], "in_progress")
        self._first = self._first or event["response"]
        self._same(event["response"])
        self._read.response = event["response"]

    def _same(self, response: dict[str, Any]) -> None:
        kept = [name for name in ("id", "created_at", "model") if self._first.get(name) != response[name]]
        _want(not kept, f"{kept} of the response changes")

    def _end(self, status: str, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "sequence_number", "response"}, f"fields: {sorted(event)}")
        # What a failed answer leaves open isn't whole: Codex runs a call only once its item is done.
        _want(self._open is None or status == "failed", "an item is open at the end")
        check_response(event["response"], status)
        self._same(event["response"])
        _want(event["response"]["output"] == self._items, "the output is not what was streamed")
        self._read.response, self._ended = event["response"], True
        self._read.complete = status != "failed"
        self._read.error = event["response"].get("error")

    # An item

    def _item_added(self, event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "sequence_number", "output_index", "item"}, f"fields: {sorted(event)}")
        _want(self._open is None, "two items are open")
        _want(event["output_index"] == len(self._items), f"output_index {event['output_index']}")
        item = event["item"]
        nothing: dict[str, Any] = {"content": [], "summary": []} | dict.fromkeys(PIECES.values(), "")
        for name, empty in nothing.items():
            if name == "arguments" and item["type"] == "tool_search_call":
                continue
            _want(item.get(name, empty) in (empty, None), f"{name} of an item that begins: {item.get(name)!r}")
        if item["type"] in ("message", *CALLS):
            _want(item.get("status") == "in_progress", f"status of an item that begins: {item.get('status')}")
        if item["type"] == "message":
            check_item({**item, "status": "completed", "content": [PARTS["refusal"]]})
        elif item["type"] in CALLS:
            check_item({**item, "status": "completed"})
        self._open, self._part, self._said, self._searches = json.loads(json.dumps(item)), None, False, 0

    def _inside(self, name: str, event: dict[str, Any]) -> None:
        item = self._open
        _want(item is not None, f"{name} of no item")
        assert item is not None
        _want(event.get("output_index") == len(self._items), f"{name}: output_index {event.get('output_index')}")
        if name == "response.output_item.done":
            self._item_done(item, event)
            return
        _want(event.get("item_id") == item["id"], f"{name}: item_id {event.get('item_id')}")
        kind, _, what = name.removeprefix("response.").rpartition(".")
        if kind in ("content_part", "reasoning_summary_part"):
            self._part_event(item, kind, what, event)
        elif kind in TEXTS:
            self._text(item, kind, what, event)
        elif kind == "output_text.annotation":
            self._annotation(event)
        elif kind in PIECE_EVENTS:
            self._piece(item, kind, what, event)
        elif kind == "web_search_call":
            _want(item["type"] == kind and SEARCHES.index(what) == self._searches, f"{name} out of order")
            _want(set(event) == {"type", "sequence_number", "output_index", "item_id"}, f"fields: {sorted(event)}")
            self._searches += 1
        else:
            raise OutOfOrder(f"unknown event {name}")

    def _item_done(self, item: dict[str, Any], event: dict[str, Any]) -> None:
        _want(set(event) == {"type", "sequence_number", "output_index", "item"}, f"fields: {sorted(event)}")
        done = event["item"]
        check_item(done)
        _want(self._part is None, "a part is open at the end of its item")
        _want(item["type"] not in PIECES or self._said, "the end of a call without its pieces' end")
        searches = len(SEARCHES) - (done.get("status") == "failed")
        _want(done["type"] != "web_search_call" or self._searches >= searches, "a search without its events")
        # What is sealed is there only once all has been said, and so is what a search did.
        later = {"status", "encrypted_content", *({"action"} if done["type"] == "web_search_call" else ())}
        if done["type"] == "reasoning" and not item.get("content"):
            # Where a summary was streamed, the same text comes as content with the whole item.
            texts = [[part["text"] for part in done.get(name, ())] for name in ("content", "summary")]
            _want(texts[0] in ([], texts[1]), "content of the reasoning that wasn't streamed")
            later.add("content")
        wrong = [name for name, value in item.items() if name not in later and done.get(name) != value]
        _want(not wrong, f"{wrong} of the {done['type']} changed: {[done.get(name) for name in wrong]}")
        new = done.keys() - item.keys() - later
        _want(all(done[name] in ([], None) for name in new), f"{sorted(new)} of the {done['type']} wasn't streamed")
        self._items.append(done)
        self._open = None

    # Parts and pieces

    def _part_event(self, item: dict[str, Any], kind: str, what: str, event: dict[str, Any]) -> None:
        holder, index = ("content", "content_index") if kind == "content_part" else ("summary", "summary_index")
        fields = {"type", "sequence_number", "output_index", "item_id", index, "part"}
        _want(set(event) == fields, f"fields of {kind}.{what}: {sorted(event)}")
        part, listed = event["part"], item.setdefault(holder, [])
        if what == "added":
            _want(self._part is None, "two parts are open")
            _want(event[index] == len(listed), f"{index} {event[index]}")
            _want(part == PARTS.get(part.get("type")), f"a part begins as {part}")
            allowed = {"message": ("output_text", "refusal"), "reasoning": ("reasoning_text", "summary_text")}
            _want(part["type"] in allowed.get(item["type"], ()), f"{part['type']} in {item['type']}")
            _want((part["type"] == "summary_text") == (holder == "summary"), f"{part['type']} in the {holder}")
            listed.append(part)
            self._part, self._said = part, False
        else:
            _want(what == "done" and self._part is not None, "the end of a part that isn't open")
            _want(event[index] == len(listed) - 1 and self._said, "a part ends before its text")
            _want(part == self._part, f"a part ends as {part}")
            self._part = None

    def _text(self, item: dict[str, Any], kind: str, what: str, event: dict[str, Any]) -> None:
        part_type, index, field_name = TEXTS[kind]
        word = field_name if what == "done" else "delta"
        extra = {"logprobs"} if kind == "output_text" else set()
        fields = {"type", "sequence_number", "output_index", "item_id", index, word} | extra
        _want(what in ("delta", "done") and set(event) == fields, f"fields of {kind}.{what}: {sorted(event)}")
        if kind == "reasoning_text" and self._part is None and item["type"] == "reasoning":
            # OpenAI's own servers open no part for it.
            listed = item.setdefault("content", [])
            if event[index] == len(listed):
                listed.append(dict(PARTS["reasoning_text"]))
                self._said = False
            part: dict[str, Any] | None = listed[-1]
        else:
            part = self._part
        _want(part is not None and part["type"] == part_type and not self._said, f"{kind}.{what} of no open part")
        assert part is not None
        listed = item["summary" if index == "summary_index" else "content"]
        _want(event[index] == len(listed) - 1 and isinstance(event[word], str), f"{kind}.{what}: {index}")
        if what == "delta":
            _want(event[word] != "", "an empty delta")
            part[field_name] += event[word]
        else:
            _want(event[word] == part[field_name], f"{kind}.done says {event[word]!r}")
            self._said = True

    def _annotation(self, event: dict[str, Any]) -> None:
        wanted = {
            "content_index",
            "annotation_index",
            "annotation",
            "type",
            "sequence_number",
            "output_index",
            "item_id",
        }
        _want(set(event) == wanted and self._part is not None, f"an annotation: {sorted(event)}")
        assert self._part is not None
        _want(event["annotation_index"] == len(self._part["annotations"]), "annotation_index")
        note = event["annotation"]
        _want(note.keys() == {"type", "url", "title", "start_index", "end_index"}, f"a citation: {sorted(note)}")
        self._part["annotations"].append(note)

    def _piece(self, item: dict[str, Any], kind: str, what: str, event: dict[str, Any]) -> None:
        item_type = PIECE_EVENTS[kind]
        name = PIECES[item_type]
        word = "delta" if what == "delta" else name
        fields = {"type", "sequence_number", "output_index", "item_id", word}
        _want(what in ("delta", "done") and set(event) - {"name"} == fields, f"fields of {kind}.{what}")
        _want(item["type"] == item_type and not self._said, f"{kind}.{what} of {item['type']}")
        _want(isinstance(event[word], str), f"{kind}.{what}")
        if what == "delta":
            _want(event["delta"] != "", "an empty delta")
            item[name] += event["delta"]
        else:
            _want(event[word] == item[name], f"{kind}.done says {event[word]!r}")
            self._said = True


TEXTS = {
    "output_text": ("output_text", "content_index", "text"),
    "refusal": ("refusal", "content_index", "refusal"),
    "reasoning_text": ("reasoning_text", "content_index", "text"),
    "reasoning_summary_text": ("summary_text", "summary_index", "text"),
}
"""The texts that come in deltas: the type of their part, the name of its index, the field."""
PIECE_EVENTS = {"function_call_arguments": "function_call", "custom_tool_call_input": "custom_tool_call"}
