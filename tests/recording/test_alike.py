"""What differs from run to run is alike; what a program found isn't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.recording.alike import alike
from tests.growth import grows_linearly
from tests.looped import each


@each(
    "one, other",
    [
        ("at 2026-11-29T18:45:47Z", "at 2027-01-02T03:04:05Z"),
        ("2026-11-29 18:45:47.123456 +0800", "2026-12-01 00:00:00,5 UTC"),
        ("on 2026-11-29.", "on 2027-03-01."),
        ("2026/11/29", "2027/1/2"),
        ("11/29/2026, 6:45:47 PM", "1/2/2027, 11:05:00 AM"),
        ("Sun Nov 29 18:45:47 UTC 2026", "Mon Dec  7 01:02:03 CST 2026"),
        ("Sunday, November 29, 2026", "Thursday, May 6, 2027"),
        ("Sun, 29 Nov 2026 18:45:47 GMT", "Mon, 7 Dec 2026 01:02:03 GMT"),
        ("今天是2026年11月29日，星期日", "今天是2027年1月2日，星期六"),
        ("18:45:47", "01:02:03.4"),
        ("10:03 AM", "9:15 pm"),
        ("mtime 1764441947.25", "mtime 1774441947.5"),
        ("1764441947123", "1774441947999"),
        ("2 passed in 0.03s", "2 passed in 1.25s"),
        ("real\t0m1.234s", "real\t1m0.001s"),
        ("Wall time: 0.0512 seconds", "Wall time: 1.5 seconds"),
        ("took 12 ms", "took 999 ms"),
        ("9a4e1b70-7a3f-4a1e-9f39-0123456789ab", "00000000-7a3f-4a1e-9f39-aaaaaaaaaaaa"),
        ("/tmp/tmpab12cd_x/a", "/tmp/tmpZZ99qqqq/a"),
        ("tmp.aBcD123456", "tmp.XyZw987654"),
        ("commit 2bf40ca1", "commit 0942460e"),
        ("2bf40ca1" * 5, "0942460e" * 5),
        ("pid=123", "pid=9"),
        ("drwxr-xr-x 17 root root  4096 Nov 29 18:42 src", "drwxr-xr-x 17 runner docker  4096 Jan  3 08:01 src"),
        ("OS Version: Linux 6.18\nx", "OS Version: Darwin 25.1\nx"),
        ("Chunk ID: 5c1163\nWall time: 0.1 seconds\nx", "Chunk ID: e3b2e4\nWall time: 2 seconds\nx"),
        ("gitStatus: main\nRecent commits:\nabc", "gitStatus: other\nRecent commits:\ndef"),
        ("⟦tmp⟧/x ⟦cwd⟧/y", "⟦tmp:real⟧/x ⟦cwd:name⟧/y"),
        ("/tmp/x", "⟦tmp⟧/x"),
        ("/private/tmp/x", "/var/tmp/x"),
        ("⟦tmp⟧/tmp.k1coxsQGc5", "⟦tmp⟧/tmp.PhktvOsK6C"),
        ("<timezone>Etc/UTC</timezone>", "<timezone>Asia/Shanghai</timezone>"),
    ],
)
def test_what_differs_from_run_to_run_is_alike(one: str, other: str) -> None:
    assert alike(one) == alike(other)


@each(
    "one, other",
    [
        ("3 failed", "4 failed"),
        ("line 12", "line 13"),
        ("a.py:12:30", "a.py:12:31"),
        ("version 1.2.3", "version 1.2.4"),
        ("4096 bytes", "4097 bytes"),
        ("exit code 0", "exit code 1"),
        ("deadbeef", "feedface"),
        ("template", "temperature"),
        ("may 3", "may 4"),
        ("Chunk ID: 5c1163\nfirst", "Chunk ID: 5c1163\nsecond"),
        ("⟦cwd⟧/a", "⟦cwd⟧/b"),
        ("12345678", "12345679"),
        ("5s x", "5d x"),
        ("0 18:4", "0 18:5"),
        ("OS Version: " + "x" * 300 + "\na", "OS Version: " + "y" * 300 + "\na"),
    ],
)
def test_what_a_program_found_is_not(one: str, other: str) -> None:
    assert alike(one) != alike(other)


@given(st.text(max_size=60))
def test_what_stays_is_said_as_it_was(text: str) -> None:
    """Nothing is added but the names of kinds; texts without anything of this kind stay."""
    said = alike(text)
    if "⟨" not in said and "⟦" not in said:
        assert said == text


@given(st.text(alphabet="0123456789abTZ-:. /", max_size=60))
def test_it_is_the_same_twice(text: str) -> None:
    assert alike(text) == alike(text)


HOSTILE = [
    "1",
    "a1",
    "2026-",
    "tmp",
    "-r",
    "Nov ",
    "deadbeef1 ",
    "rwx ",
    "12:",
    "OS Version: ",
    "gitStatus: ",
    "⟦cwd",
    "Sun, ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear(piece: str) -> None:
    assert grows_linearly(lambda size: alike(piece * (size // len(piece))), 40_000)
