# Prometheus's promtool for the tests of alerts, to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_PROMTOOL, the program: the one given, else one in PATH, else, as root on Debian, the one
# of Debian's prometheus, which is installed once. Where there is none it stays empty and what to do is said; the tests
# that need it then fail with the same words (tests/observe/alerts/traces.py).

# shellcheck shell=bash
. "$ROOT/scripts/lib/packages.sh"

find_promtool() {
    command -v promtool
}

install_prometheus() {
    # The package would start a server of its own on Prometheus' usual port, where the system has an init.
    RUNLEVEL=1 install_packages prometheus
}

set_up_program HUNYUAN_FIX_PROMTOOL find_promtool install_prometheus promtool
