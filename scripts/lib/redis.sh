# A redis-server for the tests, to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_REDIS, the program: the one given, else one in PATH, else, as root on Debian, Debian's
# own, which is installed once. Where there is none it stays empty and what to do is said; the tests of Redis then
# fail with the same words (tests/redis_server.py).

# shellcheck shell=bash
. "$ROOT/scripts/lib/packages.sh"

find_redis() {
    command -v redis-server
}

install_redis() {
    # The package would start a server of its own on Redis' usual port, where the system has an init.
    RUNLEVEL=1 install_packages redis-server
}

set_up_program HUNYUAN_FIX_REDIS find_redis install_redis redis-server
