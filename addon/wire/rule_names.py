"""The names under which changes to bytes and to answers are reported: keys of `docs/rules.md`."""

from __future__ import annotations

CODING = "coding"
UNICODE = "unicode"
CORS = "answer-cors"
EMBEDDINGS = "answer-embeddings"
FINISH_REASON = "answer-finish-reason"
FUNCTION_CALL = "answer-function-call"
JSON_FENCE = "answer-json-fence"
STOP = "answer-stop"
STREAM = "answer-stream"
STREAM_END = "answer-stream-end"
TOOL_FRAMES = "answer-tool-frames"
TOOL_NAMES = "answer-tool-names"

ALL = (
    CODING,
    UNICODE,
    CORS,
    EMBEDDINGS,
    FINISH_REASON,
    FUNCTION_CALL,
    JSON_FENCE,
    STOP,
    STREAM,
    STREAM_END,
    TOOL_FRAMES,
    TOOL_NAMES,
)
