"""The names of changes to bytes and to answers, as docs/rules.md lists them."""

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
