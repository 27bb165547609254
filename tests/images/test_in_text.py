"""Images inside texts."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.images import data as image_data
from hunyuan_fix.images import in_text
from tests.looped import each
from tests.vision_server import PNG

PICTURE = PNG + bytes(range(256))
STANDARD = base64.b64encode(PICTURE).decode()
URL = f"data:image/png;base64,{STANDARD}"
MARK = 'A "window".\nIt is open.'
BACKSLASH = chr(92)


def replaced(text: str, written: str = MARK) -> tuple[str, list[str]]:
    """`text` with its images replaced, and what they are when read."""
    found: list[str] = []

    def write(source: str) -> str:
        found.append(image_data.sendable_url(source, 1 << 24))
        return written

    pieces = in_text.apart(text)
    return (text if pieces is None else in_text.join(pieces, write)), found


def wrapped(width: int, line_break: str = "\n", payload: str = STANDARD) -> str:
    return line_break.join(payload[at : at + width] for at in range(0, len(payload), width))


@pytest.mark.parametrize(
    ("before", "image", "after"),
    [
        ("", STANDARD, ""),
        ("Took it. ", STANDARD, " Done."),
        ("Took it.\n", STANDARD, "\nDone\n"),
        ("Took it. ![shot](", URL, ") There."),
        ("<img src='", URL, "'>"),
        ("see ", URL, ", then"),
        ("", URL, "\nwhat is this?"),
        ("shot=", STANDARD.translate(str.maketrans("+/", "-_")), "&b=1"),
        ("", wrapped(76), "\nDone"),
        ("Here:\n", wrapped(64, "\r\n"), "\r\nIt is open."),
        ("", "data:image/png;base64," + wrapped(76), "\n\nwords"),
        ("", wrapped(76, "\n  "), "\n  - and an item"),
        ("url(", URL.replace("image/png", "image/png;name=a.png"), ")"),
        ("", URL.replace("data:image/png;base64", "DATA:IMAGE/PNG;BASE64"), " and"),
        ("", URL.replace("image/png", "application/octet-stream"), " and"),
        ("", URL.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D"), " and"),
        ("", URL.replace("/", "%2F").replace(":", "%3A").replace(";", "%3B").replace(",", "%2C"), " and"),
        ("{'a': '", STANDARD, "'}"),
    ],
)
def test_image_in_a_text(before: str, image: str, after: str) -> None:
    text, found = replaced(f"{before}{image}{after}")
    assert (text, found) == (f"{before}{MARK}{after}", [URL])


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)),
        b"\xff\xd8\xff\xdb" + bytes(range(256)),
        b"RIFF\x10\0\0\0WEBPVP8 " + bytes(range(256)),
        b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0" + bytes(range(256)),
        b"GIF89a\1\0" + bytes(range(256)),
        b"GIF87a\1\0" + bytes(range(256)),
    ],
)
@pytest.mark.parametrize("form", ["{}", "see {} there", '{{"a": ["{}", "b"]}}', "data:;base64,{}"])
def test_kinds_of_images(data: bytes, form: str) -> None:
    for payload in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        text, found = replaced(form.format(payload), "X")
        assert text == form.format("X").replace("data:;base64,", "")
        assert [base64.b64decode(url.partition(",")[2]) for url in found] == [data]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iVBOR",
        "iVBORw0KGgo begins every PNG, /9j/ every JPEG, R0lGODlh a GIF",
        "iVBORw0KGgoAAAANSUhEUg is the beginning",
        "iVBOR" * 100,
        "a/path/9j/" + "folder/" * 20,
        "Qk0 " * 50,
        "data:image/png;base64,… is what I see",
        "see data:image/png;base64,AAAA",
        "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7" + bytes(200)).decode(),
        base64.b64encode(b"%PDF-1.7" + bytes(200)).decode(),
        base64.b64encode(b"PK\3\4" + bytes(200)).decode(),
        base64.b64encode(b"RIFF\x10\0\0\0WAVEfmt " + bytes(200)).decode(),
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0" * 9 + ".Qk0_9j",
        "a" * 1000,
        "0123456789abcdef" * 20,
        "base64," * 50,
        json.dumps({"zip": base64.b64encode(b"PK\3\4" + bytes(200)).decode(), "n": 64, "m": [64, 65]}),
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert in_text.apart(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (json.dumps({"note": "Took it.", "shot": STANDARD}), {"note": "Took it.", "shot": MARK}),
        (json.dumps([{"type": "image", "data": URL}]), [{"type": "image", "data": MARK}]),
        (json.dumps(f"see {URL}"), f"see {MARK}"),
        (json.dumps({"shot": URL}).replace("/", BACKSLASH + "/"), {"shot": MARK}),
        (json.dumps({"shot": wrapped(76)}), {"shot": MARK}),
        (json.dumps({"result": json.dumps({"image": URL})}), {"result": json.dumps({"image": MARK})}),
    ],
)
def test_json_stays_json(text: str, value: object) -> None:
    new, found = replaced(text)
    assert json.loads(new) == value
    assert found == [URL]


def test_json_stays_as_it_is_around_the_image() -> None:
    start, end = '{ "n": 1.00, "n": 1e2,\n "t": "\\u4e2d\\/", "x": NaN, "shot": "', '" }\n'
    new, _ = replaced(start + STANDARD + end, "X")
    assert new == start + "X" + end


def test_json_lines_and_json_cut_short() -> None:
    lines = json.dumps({"a": URL}) + "\n" + json.dumps({"b": STANDARD})
    new, found = replaced(lines)
    assert [json.loads(line) for line in new.splitlines()] == [{"a": MARK}, {"b": MARK}]
    assert len(found) == 2
    new, _ = replaced(json.dumps({"note": "Took it.", "a": STANDARD}).replace("/", BACKSLASH + "/")[:-40], "X")
    assert new == '{"note": "Took it.", "a": "X'


@pytest.mark.parametrize("after", ["\nDone", "\nDONE\n", "\nIt is."])
def test_word_on_the_line_after_full_lines_stays(after: str) -> None:
    payload = base64.b64encode(PNG + bytes(57 * 3 - len(PNG))).decode()
    assert replaced(wrapped(76, payload=payload) + after, "X")[0] == "X" + after


def test_line_after_a_long_one_is_other_text() -> None:
    payload = base64.b64encode(PNG + bytes(300 - len(PNG))).decode()
    assert replaced(f"{payload}\nabc123\n", "X")[0] == "X\nabc123\n"


def test_json_inside_prose_stays_json() -> None:
    new, _ = replaced(f'Result: {{"a": "{URL}"}}.')
    assert json.loads(new.removeprefix("Result: ").rstrip(".")) == {"a": MARK}


def test_sign_of_a_mark_and_half_a_character_survive_in_json() -> None:
    text = json.dumps({"a": f"\ud800 {STANDARD}"})
    new, _ = replaced(text, "\ufdd0\ufdd1")
    assert "\ufdd0\ufdd1" in new


def test_json_in_json_is_bounded() -> None:
    text = f"see {URL}"
    for _ in range(12):
        text = json.dumps([text])
    new, found = replaced(text, "X")
    assert (STANDARD in new, len(found)) == (False, 1)
    for _ in range(12):
        (new,) = json.loads(new)
    assert new == "see X"


_words = st.text(alphabet="abc Wörd中.,!?\n", max_size=30)
_spellings = st.sampled_from(
    [STANDARD, URL, STANDARD.translate(str.maketrans("+/", "-_")), URL.upper()[:11] + URL[11:]]
)


@given(st.lists(st.tuples(_words, _spellings), max_size=4), _words, st.integers(0, 3))
def test_images_go_and_words_stay(pairs: list[tuple[str, str]], last: str, depth: int) -> None:
    text = "".join(f"{words} {image} " for words, image in pairs) + last
    expected = "".join(f"{words} [X] " for words, _ in pairs) + last
    for _ in range(depth):
        text, expected = json.dumps({"a": text}, ensure_ascii=False), json.dumps({"a": expected}, ensure_ascii=False)
    new, found = replaced(text, "[X]")
    assert (new, len(found)) == (expected, len(pairs))
    assert in_text.apart(new) is None


@given(st.text(alphabet='iVBORw0KGgo/9jR0lGODh64,data:image/png;base{}[]"\\ \n%2Cu_-', max_size=300))
def test_anything_is_read_and_the_second_time_nothing_is_found(text: str) -> None:
    pieces = in_text.apart(text)
    if pieces is not None:
        assert in_text.apart(in_text.join(pieces, lambda _: "[X]")) is None


HINTS = in_text._HINTS
PIECES = [*HINTS, *(hint[:-1] for hint in HINTS), *(hint[1:] for hint in HINTS), *"6G9Q", "\n", "中", "x" * 300]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_the_search_by_letters_finds_what_a_plain_one_does(text: str) -> None:
    assert in_text.suspected(text) == any(hint in text for hint in HINTS)


@each("hint", HINTS)
@each("letter", ["6", "G", "9", "Q", "中", ""])
@each("around", [0, 1, 7, 3000])
def test_a_word_of_an_image_is_seen_among_any_letters(hint: str, letter: str, around: int) -> None:
    for text in (letter * around + hint, hint + letter * around, letter * around + hint + letter * around):
        assert in_text.suspected(text)
    assert not in_text.suspected(letter * around)


TINY = "data:image/png;base64,iVBORw0KGgo"
HOSTILE: dict[str, Callable[[int], str]] = {
    "iVBOR": lambda n: "iVBOR" * n,
    "magic": lambda n: "iVBORw0KGgo" * (n // 2),
    "data URL heads": lambda n: "data:image/;base64;" * (n // 4),
    "base64,": lambda n: "base64," * n,
    "data:": lambda n: "data:" * n + "base64,",
    "tiny images": lambda n: f"{TINY} " * (n // 6),
    "lines": lambda n: STANDARD[:48] + "\n" + "AAAA\n" * n,
    "full lines": lambda n: STANDARD[:60] + ("\n" + "A" * 60) * (n // 12),
    "backslashes": lambda n: TINY + BACKSLASH * (5 * n),
    "open strings": lambda n: f'["{TINY}' + '["' * (2 * n),
    "escapes": lambda n: f'["{TINY}' + BACKSLASH * (5 * n) + '"]',
    "json strings": lambda n: json.dumps([TINY] * (n // 7)),
    "9j/": lambda n: "/9j/" * n,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear(hostile: Callable[[int], str]) -> None:
    def seconds(text: str) -> float:
        best = float("inf")
        for _ in range(3):
            begun = time.thread_time()
            in_text.apart(text)
            best = min(best, time.thread_time() - begun)
        return best

    once, four_times = seconds(hostile(20_000)), seconds(hostile(80_000))
    assert four_times < 8 * max(once, 1e-4)


@pytest.mark.parametrize("hint", in_text._HINTS)
def test_a_text_with_any_of_the_words_is_suspected(hint: str) -> None:
    assert in_text.suspected(f"a {hint} b")
    for length in range(len(hint)):
        rest = hint[:length]
        assert in_text.suspected(rest) == any(word in rest for word in in_text._HINTS)


@given(st.lists(st.sampled_from([*in_text._HINTS, "6", "V", "G", "9", "j", "Q", "k", " "])).map("".join))
def test_no_other_text_is_suspected(text: str) -> None:
    assert in_text.suspected(text) == any(hint in text for hint in in_text._HINTS)
