"""The names of changes that no rule makes: to bytes, formats and answers, as docs/rules.md lists them."""

from __future__ import annotations

ANTHROPIC = "anthropic"
"""The name of that dialect, too."""
CODING = "coding"
UNICODE = "unicode"
CORS = "answer-cors"
EMBEDDINGS = "answer-embeddings"
FINISH_REASON = "answer-finish-reason"
FUNCTION_CALL = "answer-function-call"
JSON_FENCE = "answer-json-fence"
MODELS = "answer-models"
STOP = "answer-stop"
STREAM = "answer-stream"
STREAM_END = "answer-stream-end"
TOOL_FRAMES = "answer-tool-frames"
TOOL_NAMES = "answer-tool-names"
