"""The scripts run on macOS as it is: bash 3.2, BSD's programs, no flock.

Here bash is newer, so what 3.2 doesn't know is looked for in the text. With an old bash first in PATH,
`scripts/test tests/end_to_end/test_environment.py tests/scripts/test_help.py` runs them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hunyuan_fix.texts import terminal
from scripts.lib import sentences

ROOT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash") or "bash"
FILES = sorted(
    path
    for path in (*(ROOT / "scripts").iterdir(), *(ROOT / "scripts/lib").glob("*.sh"), *(ROOT / ".ci").iterdir())
    if path.is_file()
)

TOO_NEW = {
    r"\b(?:declare|local|typeset)\s+-\w*[A]": "declare -A names",
    r"\b(?:declare|local|typeset)\s+-\w*[nlug]": "local -n name=other",
    r"\b(?:mapfile|readarray|coproc)\b": "mapfile -t lines",
    r"\$\{\w+(?:\[[^]]*\])?(?:,,?|\^\^?)": "${name,,}",
    r"\$\{[^}]*@[A-Za-z]\}": "${name@Q}",
    r"&>>": "command &>> file",
    r"\|&": "one |& two",
    r";;?&": "one) two ;;&",
    r"\[\[?\s+-v\s": "[ -v name ]",
    r"%\([^)]*\)T": "printf '%(%s)T' -1",
    r"\$\{\w+: *-\d+(?::|\})": "${name: -1}",
    r"\bwait\s+-n\b": "wait -n",
    r"\{\w+\}[<>]": "exec {descriptor}<file",
    r"\bBASHPID\b|\bEPOCHSECONDS\b|\bEPOCHREALTIME\b|\bSRANDOM\b": "$EPOCHSECONDS",
    r"\bread\s+(?:-\w+\s+)*-\w*[Ni]": "read -N 1 key",
    r"\bshopt\s+-s\s+(?:globstar|lastpipe|inherit_errexit)": "shopt -s globstar",
}
"""What bash 3.2 doesn't know (a pattern) -> an example that it finds."""

NOT_ON_MACOS = {
    r"\bflock\s+-?\w": "flock 9",
    r"\breadlink\s+-\w*[em]": "readlink -e file",
    r"\brealpath\b": "realpath file",
    r"\bsed\s+(?:-\w+\s+)*-\w*[ir]": "sed -i s/a/b/ file",
    r"\bgrep\s+(?:-\w+\s+)*-\w*P": "grep -oP x",
    r"(?<![\w-])(?:md5sum|sha256sum|tac|timeout|setsid)\s": "timeout 3 command",
    r"\bstat\s+-c\b": "stat -c %s file",
    r"\bdate\s+(?:-d|--date)": "date -d now",
    r"\bcp\s+(?:-\w+\s+)*--\w": "cp --archive a b",
    r"\bmktemp\s+--": "mktemp --directory",
    r"\bxargs\s+(?:-\w+\s+)*-\w*r": "xargs -r rm",
    r"\bnproc\b(?!.*\|\|)": "count=$(nproc)",
}
"""GNU's and Linux's programs and options; `nproc` may be tried where something else follows `||`."""


def code(path: Path) -> str:
    """A script without comments that have a line of their own, and without what it says."""
    lines = path.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@pytest.mark.parametrize(("pattern", "example"), [*TOO_NEW.items(), *NOT_ON_MACOS.items()])
def test_what_macos_lacks_is_in_no_script(pattern: str, example: str) -> None:
    assert re.search(pattern, example)
    assert not [path.name for path in FILES if re.search(pattern, code(path))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_bash_can_read_it(path: Path) -> None:
    """By the bash that is first in PATH."""
    done = subprocess.run([BASH, "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_array_that_may_be_empty_is_expanded() -> None:
    """Under `set -u` bash 3.2 takes an empty array for a name that isn't set."""
    for path in FILES:
        text = code(path)
        for name in re.findall(r"\b(\w+)=\(\)", text):
            uses = [line for line in text.splitlines() if re.search(rf"\$\{{{name}\[[@*]\]\}}", line)]
            assert all(f'"${{#{name}[@]}}" -gt 0' in line for line in uses), path.name


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"LANG": "zh_CN.UTF-8"},
        {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"},
        {"LANG": "C", "LC_MESSAGES": "ZH_TW"},
        {"LANG": "zh_CN", "LC_MESSAGES": "en_US"},
        {"LC_ALL": "", "LANG": "zh"},
        {"LANG": "Chinese (Simplified)_China"},
        {"LANG": "zh_CN", "HUNYUAN_LANGUAGE": "en"},
        {"LANG": "C", "HUNYUAN_LANGUAGE": "zh"},
        {"LANG": "zh_CN", "HUNYUAN_LANGUAGE": "fr"},
        {"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"},
        {"LANG": "zh_CN.UTF-8", "LANGUAGE": "fr:en:zh"},
        {"LANG": "zh_CN.UTF-8", "LANGUAGE": "fr"},
        {"LANG": "fr_FR", "LANGUAGE": ":zh"},
        {"LANG": "C.UTF-8", "LANGUAGE": "zh"},
        {"LC_ALL": "POSIX", "LANGUAGE": "zh"},
        {"LANGUAGE": "zh"},
        {"LANG": "zha_CN"},
        {"LANG": "english", "LANGUAGE": "zh"},
    ],
    ids=str,
)
def test_the_scripts_speak_the_terminals_language(given: dict[str, str]) -> None:
    environment = {"PATH": os.environ["PATH"], **given}
    script = f'ROOT="{ROOT}"; . "$ROOT/scripts/lib/say.sh"; printf %s "$SPEAKS"'
    done = subprocess.run([BASH, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == terminal.preferred(given)


SAID = {
    *(found for path in FILES for found in re.findall(r"\bsay '([^']+)'", path.read_text("utf-8"))),
    *(found for path in FILES for found in re.findall(r'\bsay "([^"]+)"', path.read_text("utf-8"))),
}
"""What bash says; what Python says is in test_installing.py."""


@pytest.mark.parametrize("sentence", sorted(SAID))
def test_every_sentence_has_its_chinese_with_the_same_words(sentence: str) -> None:
    words = [f"word{number}" for number in range(sentence.count("%s"))]
    script = f'ROOT="{ROOT}"; . "$ROOT/scripts/lib/say.sh"; say "$@"'
    environment = {"PATH": os.environ["PATH"], "HUNYUAN_LANGUAGE": "zh"}
    done = subprocess.run(
        [BASH, "-c", script, "bash", sentence, *words],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert re.search(r"[\u4e00-\u9fff]", done.stdout)
    assert re.findall(r"word\d", done.stdout) == words


def test_bash_says_what_it_does_not_know_in_english() -> None:
    script = f'ROOT="{ROOT}"; . "$ROOT/scripts/lib/say.sh"; say "a %s [b] * ?" c'
    environment = {"PATH": os.environ["PATH"], "HUNYUAN_LANGUAGE": "zh"}
    done = subprocess.run([BASH, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "a c [b] * ?\n"


def test_no_translation_is_left_over() -> None:
    python = (ROOT / "scripts/lib/installing.py").read_text("utf-8")
    joined = re.sub(r'"\s*\n\s*"', "", python)
    assert not [english for english in sentences.chinese() if english not in SAID and f'"{english}"' not in joined]
    assert sentences.chinese().keys() >= SAID
