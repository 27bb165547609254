# HAProxy for the tests of what stands before the proxy, to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_HAPROXY, the program: the one given, else one in PATH or in Debian's folder for it, else,
# as root on Debian, Debian's own, which is installed once. Where there is none it stays empty and what to do is said;
# the tests that need it then fail with the same words (tests/haproxy.py).

# shellcheck shell=bash
. "$ROOT/scripts/lib/packages.sh"

find_haproxy() {
    # /usr/sbin isn't in everybody's PATH.
    command -v haproxy || { [ -x /usr/sbin/haproxy ] && echo /usr/sbin/haproxy; }
}

install_haproxy() {
    # The package would start a service, where the system has an init.
    RUNLEVEL=1 install_packages haproxy
}

set_up_program HUNYUAN_FIX_HAPROXY find_haproxy install_haproxy HAProxy
