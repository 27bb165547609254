"""Reads one JSON object or array out of a text, and how its tokens have to be respelt to be strict JSON.

What is spelt as JSON has it keeps its characters: numbers, escapes, the order of keys and keys that come twice. One
pass, without recursion, and no more than `MAX_DEPTH` brackets within each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import orjson

MAX_DEPTH: Final = 512
"""Brackets within each other."""

type Respelt = Literal["quotes", "literals", "commas", "comments", "control", "escapes", "keys", "signs", "space"]
"""What of a text was spelt otherwise: quotes, literals of Python, commas behind the last member, comments, control
characters in strings, escapes that JSON hasn't, keys without quotes, full-width commas and colons, other white
space."""
type Why = Literal["cut", "nan", "deep", "syntax", "none", "two", "kind", "length"]
"""Why a text has no JSON: it ends too early, has NaN or Infinity, is nested too deep or spelt otherwise; nothing in it
is JSON, or two things are; it is JSON of another kind; the model was cut short."""

type _State = Literal["first", "key", "colon", "member", "end", "item", "value"]
"""What comes next: the first key or value behind a bracket, a key behind a comma, the colon behind a key, the value
behind a colon, a comma or a bracket behind a value, a value behind a comma, or the bracket that all begins with."""
type _Kind = Literal["string", "number", "literal", "key", "{", "[", "}", "]", ":", ",", ""]
"""What a token is; `""`: nothing."""

_STRING: Final = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
TOKEN: Final = re.compile(
    rf"[ \t\n\r]*+(?:(?P<string>{_STRING})|(?P<number>{_NUMBER})|(?P<sign>[{{}}\[\],:])"
    r"|(?P<word>(?:[^\W\d]|\$)[\w$-]*+))"
)
"""One token as JSON spells it, or a word. `lastgroup` is its kind."""

_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_OTHER_SPACE: Final = re.compile(r"[^\S \t\n\r]++|[\ufeff\u200b\u2060]++")
_COMMENT: Final = re.compile(r"(?://|#)[^\r\n]*+|/\*.*?\*/", re.DOTALL)
_LOOSE: Final = {
    '"': re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL),
    "'": re.compile(r"'[^'\\]*+(?:\\.[^'\\]*+)*+'", re.DOTALL),
    "\N{LEFT DOUBLE QUOTATION MARK}": re.compile(r"\u201c[^\u201d\\]*+(?:\\.[^\u201d\\]*+)*+\u201d", re.DOTALL),
}
"""Strings with anything in them, by the quotation mark that opens them."""
_IN_STRING: Final = re.compile(
    r'\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|\\.|["\x00-\x1f]', re.DOTALL
)
_ESCAPES: Final = frozenset('"\\/bfnrt')
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_SIGNS: Final[Mapping[str, _Kind]] = {"\N{FULLWIDTH COMMA}": ",", "\N{FULLWIDTH COLON}": ":"}
_LITERALS: Final = frozenset(["true", "false", "null"])
_PYTHONS: Final = {"True": "true", "False": "false", "None": "null"}
_NO_NUMBERS: Final = frozenset(["nan", "infinity", "inf"])
_COLON: Final = re.compile(r"\s*+[:\uff1a]")
_QUOTED_KEY: Final = re.compile(r"""["'\u201d]\s*+[:\uff1a]""")
"""The end of a key that is a string: no bracket of a sentence has one."""
_INFINITE: Final = re.compile(r"[+-](?:nan|inf(?:inity)?)\b", re.IGNORECASE)

_VALUES: Final = frozenset(["string", "number", "literal"])
_MAY_BE_VALUE: Final = frozenset(["first", "member", "item", "value"])
_MAY_CLOSE: Final = frozenset(["first", "end", "key", "item"])
"""Where a bracket may close: behind a comma, too, which is left out then."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object or an array in a text."""

    start: int
    end: int
    text: str
    """As strict JSON."""
    respelt: tuple[Respelt, ...]
    """What had to be respelt, in the order in which it was met; empty: `text` is what stood there."""
    has_keys: bool
    """There is an object in it that isn't empty, so that it is no bracket of a sentence."""

    @property
    def is_object(self) -> bool:
        """Whether it is an object; else it is an array."""
        return self.text.startswith("{")


@dataclass(frozen=True, slots=True)
class Failed:
    """No object or array begins at a place."""

    at: int
    """Where it fails: no object within what stands before is of any use."""
    why: Why
    is_json: bool
    """What stands before is JSON without doubt, so that what comes behind is a part of it."""


def scan(text: str, start: int) -> Found | Failed:
    """The object or array whose bracket stands at `start`."""
    return _Scan(text, start).run()


def is_json(text: str) -> bool:
    """Whether `text` is one strict JSON text, of any kind."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # it refuses halves of characters, which are JSON all the same
    else:
        return True
    first = _after_space(text, 0)
    if text[first : first + 1] in ("{", "["):
        found = scan(text, first)
        return isinstance(found, Found) and not found.respelt and not text[found.end :].strip(" \t\n\r")
    token = TOKEN.match(text)
    if token is None or text[token.end() :].strip(" \t\n\r"):
        return False
    return token.lastgroup in ("string", "number") or token["word"] in _LITERALS


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return place if found is None else found.end()


@dataclass(slots=True)
class _Scan:
    text: str
    start: int
    edits: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Where what is respelt begins -> where it ends, and what stands in its place."""
    respelt: dict[Respelt, None] = field(default_factory=dict)
    """In order."""

    def run(self) -> Found | Failed:  # noqa: PLR0912 - one branch for each kind of token
        text, place, comma = self.text, self.start, -1
        state: _State = "value"
        closing: list[str] = []
        has_keys = is_json = False
        while True:
            # 1. The next token: as JSON spells it, or another spelling of one.
            read = self._token(place, in_object=bool(closing) and closing[-1] == "}" and state in ("first", "key"))
            if isinstance(read, str):
                # What is cut may be as long as the text: whatever begins within it is not looked for.
                return Failed(len(text) if read == "cut" else _after_space(text, place), read, is_json)
            kind, begin, place = read
            # 2. What it means here.
            if not kind:
                continue
            if kind in _VALUES and state in _MAY_BE_VALUE:
                state, is_json = "end", is_json or has_keys
            elif kind == "key":
                state, is_json = "colon", is_json or _QUOTED_KEY.match(text, place - 1) is not None
            elif kind in ("{", "[") and state in _MAY_BE_VALUE:
                if len(closing) == MAX_DEPTH:
                    return Failed(len(text), "deep", is_json)
                closing.append("}" if kind == "{" else "]")
                state = "first"
            elif kind == ":" and state == "colon":
                state, has_keys = "member", True
            elif kind == "," and state == "end":
                state, comma = ("key" if closing[-1] == "}" else "item"), begin
            elif closing and kind == closing[-1] and state in _MAY_CLOSE:
                if state in ("key", "item"):
                    self._respell("commas", comma, comma + 1, "")
                closing.pop()
                state = "end"
                if not closing:
                    return Found(self.start, place, self._spelt(place), tuple(self.respelt), has_keys)
            else:
                return Failed(begin, "syntax", is_json)

    def _token(self, place: int, *, in_object: bool) -> Why | tuple[_Kind, int, int]:
        """The token at `place`, where it begins and where it ends; or why there is none.

        `in_object`: a key may come.
        """
        found = TOKEN.match(self.text, place)
        if found is None:
            return self._odd(place, in_object=in_object)
        group, end = found.lastgroup, found.end()
        begin = found.start(group or 0)
        if group == "word":
            return self._word(found["word"], begin, end, in_object=in_object)
        if group == "string" and in_object:
            return "key", begin, end
        return cast("_Kind", found["sign"] or group), begin, end

    def _word(self, word: str, begin: int, end: int, *, in_object: bool) -> Why | tuple[_Kind, int, int]:
        """What a word outside strings stands for."""
        if in_object:
            if _COLON.match(self.text, end) is None:
                return "syntax"
            self._respell("keys", begin, end, f'"{word}"')
            return "key", begin, end
        if word in _PYTHONS:
            self._respell("literals", begin, end, _PYTHONS[word])
        elif word not in _LITERALS:
            return "nan" if word.lower() in _NO_NUMBERS else "syntax"
        return "literal", begin, end

    def _odd(self, place: int, *, in_object: bool) -> Why | tuple[_Kind, int, int]:
        """As `_token`, of what JSON hasn't."""
        text = self.text
        begin = _after_space(text, place)
        sign = text[begin : begin + 1]
        if not sign or (text.startswith("/*", begin) and text.find("*/", begin + 2) < 0):
            return "cut"
        if sign in _LOOSE:
            string = _LOOSE[sign].match(text, begin)
            if string is None:
                return "cut"
            if sign != '"':
                self.respelt["quotes"] = None
            self.edits[begin] = string.end(), f'"{_IN_STRING.sub(self._escaped, string[0][1:-1])}"'
            return ("key" if in_object else "string"), begin, string.end()
        if sign in _SIGNS:
            self._respell("signs", begin, begin + 1, _SIGNS[sign])
            return _SIGNS[sign], begin, begin + 1
        if comment := _COMMENT.match(text, begin):
            self._respell("comments", begin, comment.end(), "")
            return "", begin, comment.end()
        if space := _OTHER_SPACE.match(text, begin):
            self._respell("space", begin, space.end(), " ")
            return "", begin, space.end()
        return "nan" if _INFINITE.match(text, begin) else "syntax"

    def _escaped(self, found: re.Match[str]) -> str:
        """An escape, or what has to be one, as it stands between the quotation marks of JSON."""
        given = found[0]
        if given == '"':
            return '\\"'
        if len(given) == 1:
            self.respelt["control"] = None
            return _SHORT.get(given) or f"\\u{ord(given):04x}"
        if len(given) == 6 or given[1] in _ESCAPES:
            return given
        if given[1] == "'":
            if "quotes" not in self.respelt:
                self.respelt["escapes"] = None
            return "'"
        self.respelt["escapes"] = None
        if len(given) > 2:
            return json.dumps(chr(int(given[2:], 16)))[1:-1]
        return "\\\\" + (_IN_STRING.sub(self._escaped, given[1]))

    def _respell(self, what: Respelt, begin: int, end: int, text: str) -> None:
        self.respelt[what] = None
        self.edits[begin] = end, text

    def _spelt(self, end: int) -> str:
        if not self.edits:
            return self.text[self.start : end]
        pieces, last = [], self.start
        for begin, (until, spelt) in sorted(self.edits.items()):
            pieces += [self.text[last:begin], spelt]
            last = until
        pieces.append(self.text[last:end])
        return "".join(pieces)
