"""What is logged of lines that come again and again."""

from __future__ import annotations

from hunyuan_fix.observe import repeated
from hunyuan_fix.observe.repeated import Repeated


def test_one_line_of_a_subject_in_a_while_and_how_many_were_kept_back():
    lines = Repeated(60.0)
    assert [lines.ask("a", now) for now in (0.0, 1.0, 59.9)] == [0, None, None]
    assert lines.ask("b", 2.0) == 0
    assert [lines.ask("a", now) for now in (60.0, 61.0, 120.0, 500.0)] == [2, None, 1, 0]


def test_subjects_without_end_take_no_memory_without_end(monkeypatch):
    monkeypatch.setattr(repeated, "_MOST", 2)
    lines = Repeated(60.0)
    for subject, now in (("a", 0.0), ("b", 1.0), ("a", 100.0), ("c", 101.0)):
        lines.ask(subject, now)
    assert lines.ask("a", 102.0) is None, "its last line is younger than that of b"
    assert lines.ask("b", 102.0) == 0, "the oldest is forgotten"
