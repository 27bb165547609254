"""Replays of a recording."""

from __future__ import annotations

from .entry import Entry

NOT_RECORDED = Entry(
    status=400,
    code="not_recorded",
    message="This request isn't in the recording {file}, and nothing is sent while that is replayed. {difference}",
    when="a request comes that the recording being replayed doesn't have",
    advice="look at what the message says differs; record again where that is meant (docs/replay.md)",
    retry=False,
)
NOT_SENT = Entry(
    status=400,
    code="not_sent",
    message="A recording is replayed here (hunyuan_answer_cache=replay), and nothing is sent. Such requests aren't "
    "recorded.",
    when="a recording is replayed, and a request comes that isn't recorded at all, such as one for embeddings",
    advice="have another proxy send it: one that replays sends nothing",
    retry=False,
)
