# systemd-analyze for the tests of deploy/, to be sourced after environment.sh. It needs no systemd that runs.
#
# Sets and exports HUNYUAN_FIX_SYSTEMD_ANALYZE, the program: the one given, else one in PATH, else, as root on Debian,
# that of Debian's systemd, which is installed once. Where there is none it stays empty and what to do is said; the
# tests that need it then fail with the same words (tests/deploy/programs.py).

# shellcheck shell=bash
. "$ROOT/scripts/lib/packages.sh"

find_systemd_analyze() {
    command -v systemd-analyze
}

install_systemd_analyze() {
    install_packages systemd
}

set_up_program HUNYUAN_FIX_SYSTEMD_ANALYZE find_systemd_analyze install_systemd_analyze systemd-analyze
