# Debian's packages for what the tests need beside Python, to be sourced: a browser (browser.sh), Redis (redis.sh),
# promtool (prometheus.sh), HAProxy (haproxy.sh), systemd-analyze (systemd.sh).

# shellcheck shell=bash
# Ubuntu is left out: its chromium is a snap, which a container can't run.
is_root_on_debian() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && grep -qx 'ID=debian' /etc/os-release 2>/dev/null
}

# Says nothing more unless it fails.
install_packages() {
    local output apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
    echo "hunyuan-fix: installing Debian's $* (once)" >&2
    output="$({ "${apt[@]}" update && "${apt[@]}" install --yes --no-install-recommends "$@"; } 2>&1)" || {
        printf '%s\n' "$output" >&2
        return 1
    }
}

# `once FIND INSTALL`: what FIND prints; if it finds nothing, INSTALL and look again. Two scripts started at once must
# not both install: the second waits on the first, then finds it done.
once() {
    (
        lock "$PYTHON"
        "$1" || { "$2" 9<&- && "$1"; }
    ) 9<"$ROOT/constraints.txt"
}

# `set_up_program VARIABLE FIND INSTALL WHAT`: sets and exports VARIABLE, the path of a program: what it holds by now, else
# what FIND prints, else, as root on Debian, what it prints after INSTALL. Where there is none it is empty, and a line
# says that WHAT is missing.
set_up_program() {
    local variable="$1" find="$2" install="$3" what="$4"
    if [ -z "${!variable:-}" ]; then
        printf -v "$variable" '%s' "$("$find" || { is_root_on_debian && once "$find" "$install"; } || true)"
        [ -n "${!variable}" ] ||
            echo "hunyuan-fix: no $what here: install one, or set $variable=/path/to/it" >&2
    fi
    export "${variable?}"
}
