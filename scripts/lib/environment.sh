# The environment of every script here, to be sourced: `. "$(dirname -- "${BASH_SOURCE[0]}")/lib/environment.sh"`.
#
# Sets ROOT (the repository, absolute) and PYTHON (the interpreter of its virtual environment), and makes that
# environment first if it is missing or out of date. There is one for everything: a person who runs the proxy
# also runs the demo and the tests, and two would be two sets of pins to keep in step.
#
# Where a script's arguments ask for help, it prints lib/help/NAME.txt and ends before anything is made or looked for;
# `token add --help` prints token-add.txt. scripts/lib/help/__init__.py says where those texts come from.
#
# HUNYUAN_FIX_VENV    where the environment lives (default: .venv in the repository)
# HUNYUAN_FIX_PYTHON  which Python to make it with (default: the best one found)

# shellcheck shell=bash
set -euo pipefail
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME CDPATH

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"

# There may be no Python yet. A script that isn't ours by name, or a text that is missing, goes on to its own parser.
print_help() {
    local script="${BASH_SOURCE[2]##*/}" argument file text
    for argument in "$@"; do
        case "$argument" in
        --) return ;;
        -h | --help)
            file="$ROOT/scripts/lib/help/$script-$1.txt"
            [ -f "$file" ] || file="$ROOT/scripts/lib/help/$script.txt"
            [ -f "$file" ] || return 0
            text="$(<"$file")"
            printf '%s\n' "$text"
            exit
            ;;
        esac
    done
}

print_help "$@"

VENV="${HUNYUAN_FIX_VENV:-$ROOT/.venv}"
case "$VENV" in /*) ;; *) VENV="$PWD/$VENV" ;; esac # the scripts change folder
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

make_venv() {
    local base
    if [ -n "${HUNYUAN_FIX_PYTHON:-}" ]; then
        usable_python "$HUNYUAN_FIX_PYTHON" || {
            echo "HUNYUAN_FIX_PYTHON=$HUNYUAN_FIX_PYTHON is no Python >= 3.12 with venv" >&2
            exit 1
        }
        "$HUNYUAN_FIX_PYTHON" -m venv --clear "$VENV"
    elif base="$(find_python)"; then
        "$base" -m venv --clear "$VENV"
    elif command -v uv >/dev/null; then
        uv venv --quiet --seed --clear --python '>=3.12,<3.14' "$VENV"
    else
        cat >&2 <<'HELP'
hunyuan-fix needs Python 3.12 or newer, and none was found here. Any one of these helps; then run this again:
  pyenv install 3.13
  uv python install 3.13            (https://docs.astral.sh/uv/)
  apt install python3.13-venv       (or your system's own package of Python with venv)
  HUNYUAN_FIX_PYTHON=/path/to/python3.13
HELP
        exit 1
    fi
}

# What the environment was made from. It holds absolute paths, so a repository that moved needs a new one.
# Compared whole: no hash program is the same on every system.
stamp() {
    printf '%s\n' "$ROOT" "${HUNYUAN_FIX_PYTHON:-}"
    cat -- "$ROOT/pyproject.toml" "$ROOT/constraints.txt"
}

# Which Python it was made with (line 2) counts only for those who ask for one.
up_to_date() {
    local ignored=""
    [ -n "${HUNYUAN_FIX_PYTHON:-}" ] || ignored=2d
    [ -x "$PYTHON" ] && [ -f "$STAMP" ] && cmp -s <(stamp | sed "$ignored") <(sed "$ignored" "$STAMP")
}

install() {
    echo "hunyuan-fix: setting up $VENV (once)" >&2
    make_venv
    local pip=("$PYTHON" -m pip install --quiet --disable-pip-version-check --no-input -c "$ROOT/constraints.txt")
    # The build tool first, pinned like everything else: pip's own isolated build would fetch the newest.
    "${pip[@]}" setuptools
    "${pip[@]}" --no-build-isolation --editable "$ROOT[dev]"
    stamp >"$STAMP"
}

# Two scripts started at once must not both build: the second waits on the first, then finds it done.
set_up() {
    up_to_date && return
    (
        if command -v flock >/dev/null; then flock 9; fi
        up_to_date || install 9<&- >&2
    ) 9<"$ROOT/constraints.txt"
}

set_up
