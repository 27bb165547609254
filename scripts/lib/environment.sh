# The environment of every script here, to be sourced: `. "$(dirname -- "${BASH_SOURCE[0]}")/lib/environment.sh"`.
#
# Sets ROOT (the repository, absolute) and PYTHON (the interpreter of its virtual environment), and makes that
# environment first if it is missing or out of date. It holds what hunyuan-fix itself needs. A script that needs more
# (tests, bench, release) sets HUNYUAN_FIX_EXTRA=dev before that line: the same environment then gets more packages.
# Everything in `scripts/` runs on bash 3.2 (macOS) and without GNU's programs (tests/scripts/test_bash.py).
#
# Where a script's arguments ask for help, it prints lib/help/NAME.txt, or NAME.zh.txt, and ends before anything is made or looked for;
# `token add --help` prints token-add.txt. scripts/lib/help/__init__.py says where those texts come from.
#
# HUNYUAN_FIX_VENV    where the environment lives (default: .venv in the repository)
# HUNYUAN_FIX_PYTHON  which Python to make it with (default: the best one found)
# HUNYUAN_FIX_EXTRA   an extra of pyproject.toml that it must have too: redis, otel, dev (default: none)

# shellcheck shell=bash
set -euo pipefail
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME CDPATH

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"

. "$ROOT/scripts/lib/say.sh"

# There may be no Python yet. A script that isn't ours by name, or a text that is missing, goes on to its own parser.
print_help() {
    local script="${BASH_SOURCE[2]##*/}" argument file name text
    for argument in "$@"; do
        case "$argument" in
        --) return ;;
        -h | --help)
            for name in "$script-$1.$SPEAKS" "$script-$1" "$script.$SPEAKS" "$script"; do
                file="$ROOT/scripts/lib/help/$name.txt"
                [ -f "$file" ] || continue
                text="$(<"$file")"
                printf '%s\n' "$text"
                exit
            done
            return 0
            ;;
        esac
    done
}

print_help "$@"

VENV="${HUNYUAN_FIX_VENV:-$ROOT/.venv}"
case "$VENV" in /*) ;; *) VENV="$PWD/$VENV" ;; esac # the scripts change folder
EXTRA="${HUNYUAN_FIX_EXTRA:-}"
PYTHON="$VENV/bin/python"
STAMP="$VENV/hunyuan-fix-stamp"

# A Python is usable if it is new enough and can make environments (Debian packs venv and ensurepip apart).
# It is run, not only looked up: pyenv's shims exist for versions that they then refuse to start.
usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

find_python() {
    local candidate pyenv="${HOME:-}/.pyenv/versions"
    for candidate in \
        python3.13 "$pyenv"/3.13*/bin/python \
        python3.12 "$pyenv"/3.12*/bin/python \
        python3 "$pyenv"/3.1[4-9]*/bin/python; do
        if usable_python "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# One of uv's own, which have venv; fetched once if there is none.
uv_python() {
    command -v uv >/dev/null || return
    local -x UV_PYTHON_PREFERENCE=only-managed
    uv python find 3.13 2>/dev/null || { uv python install 3.13 >&2 && uv python find 3.13; }
}

# Prints the Python to make the environment with; where there is none, says what to do.
base_python() {
    if [ -n "${HUNYUAN_FIX_PYTHON:-}" ]; then
        usable_python "$HUNYUAN_FIX_PYTHON" || {
            say 'HUNYUAN_FIX_PYTHON=%s is no Python >= 3.12 with venv' "$HUNYUAN_FIX_PYTHON" >&2
            return 1
        }
        printf '%s\n' "$HUNYUAN_FIX_PYTHON"
    elif find_python; then
        return
    elif uv_python; then
        return
    else
        {
            say 'hunyuan-fix needs Python 3.12 or newer, and none was found here. Any one of these helps; then run this again:'
            say "  apt install python3-venv          (or your system's own package of Python with venv)"
            printf '  %s\n' 'brew install python@3.13' 'pyenv install 3.13' \
                'uv python install 3.13            (https://docs.astral.sh/uv/)' \
                'HUNYUAN_FIX_PYTHON=/path/to/python3.13'
        } >&2
        return 1
    fi
}

# What the environment was made from. It holds absolute paths, so a repository that moved needs a new one.
# Compared whole: no hash program is the same on every system.
stamp() {
    printf '%s\n' "$ROOT" "${HUNYUAN_FIX_PYTHON:-}"
    cat -- "$ROOT/pyproject.toml" "$ROOT/constraints.txt"
}

# `made_from STAMP`. Which Python it was made with (line 2) counts only for those who ask for one.
made_from() {
    local ignored=""
    [ -n "${HUNYUAN_FIX_PYTHON:-}" ] || ignored=2d
    [ -x "$PYTHON" ] && [ -f "$1" ] && cmp -s <(stamp | sed "$ignored") <(sed "$ignored" "$1")
}

up_to_date() {
    made_from "$STAMP" && { [ -z "$EXTRA" ] || made_from "$STAMP-$EXTRA"; }
}

# `lock PYTHON`: waits until no other script holds descriptor 9's file; it is held until the descriptor is closed.
# By Python: macOS has no flock(1), and a lock belongs to the open file, which bash has too.
lock() {
    "$1" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

install() {
    if made_from "$STAMP"; then
        if [ "$EXTRA" = dev ]; then
            say 'hunyuan-fix: adding the packages of [dev] to %s (once: about 80, 90 MB to fetch)' "$VENV"
        else
            say 'hunyuan-fix: adding the packages of [%s] to %s (once)' "$EXTRA" "$VENV"
        fi
    else
        if [ "$EXTRA" = dev ]; then
            say 'hunyuan-fix: setting up %s with what the tests need (once: about 140 packages, 115 MB to fetch)' "$VENV"
        else
            say 'hunyuan-fix: setting up %s (once: about 60 packages, 30 MB to fetch, 140 MB on disk)' "$VENV"
        fi
        "$1" -m venv --clear "$VENV"
    fi
    PYTHONPATH="$ROOT" "$PYTHON" -P -m scripts.lib.installing \
        --language "$SPEAKS" --constraints "$ROOT/constraints.txt" "$ROOT${EXTRA:+[$EXTRA]}"
    stamp >"$STAMP"
    [ -z "$EXTRA" ] || stamp >"$STAMP-$EXTRA"
}

# Two scripts started at once must not both build: the second waits on the first, then finds it done.
set_up() {
    up_to_date && return
    local base
    base="$(base_python)" || exit 1
    (
        lock "$base"
        up_to_date || install "$base" 9<&- >&2
    ) 9<"$ROOT/constraints.txt"
}

set_up
