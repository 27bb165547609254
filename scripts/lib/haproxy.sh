# HAProxy for the tests of deploy/, to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_HAPROXY, the program: the one given, else one in PATH, else, as root on Debian, Debian's
# own, which is installed once. Where there is none it stays empty and what to do is said; the tests that need it then
# fail with the same words (tests/deploy/programs.py).

# shellcheck shell=bash
. "$ROOT/scripts/lib/packages.sh"

find_haproxy() {
    command -v haproxy
}

install_haproxy() {
    # The package would start a server of its own where the system has an init.
    RUNLEVEL=1 install_packages haproxy
}

set_up_haproxy() {
    [ -z "${HUNYUAN_FIX_HAPROXY:-}" ] || return 0
    HUNYUAN_FIX_HAPROXY="$(find_haproxy || { is_root_on_debian && once find_haproxy install_haproxy; } || true)"
    [ -n "$HUNYUAN_FIX_HAPROXY" ] ||
        echo "hunyuan-fix: no haproxy here: install one, or set HUNYUAN_FIX_HAPROXY=/path/to/it" >&2
}

set_up_haproxy
export HUNYUAN_FIX_HAPROXY
