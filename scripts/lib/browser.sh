# A Chromium for what looks at mitmweb's page (tests, screenshots), to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_CHROMIUM, the program: the one given, else one in PATH, else, as root on Debian,
# Debian's own, which is installed once. Where there is none it stays empty and what to do is said: whatever needs
# a browser then fails with the same words (scripts/lib/browser.py), and nothing else does.

# shellcheck shell=bash
find_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
    return 1
}

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

# Two scripts started at once must not both install: the second waits on the first, then finds it done.
install_chromium() {
    (
        if command -v flock >/dev/null; then flock 9; fi
        find_chromium || { install_packages chromium 9<&- && find_chromium; }
    ) 9<"$ROOT/constraints.txt"
}

set_up_chromium() {
    [ -z "${HUNYUAN_FIX_CHROMIUM:-}" ] || return 0
    HUNYUAN_FIX_CHROMIUM="$(find_chromium || { is_root_on_debian && install_chromium; } || true)"
    [ -n "$HUNYUAN_FIX_CHROMIUM" ] ||
        echo "hunyuan-fix: no Chromium here: install one, or set HUNYUAN_FIX_CHROMIUM=/path/to/it" >&2
}

# For pictures only: the mark 🔧 (U+1F527) and Chinese. Without them there are empty boxes, which is said.
has_fonts() {
    command -v fc-list >/dev/null && [ -n "$(fc-list :charset=1f527)" ] && [ -n "$(fc-list :lang=zh-cn)" ]
}

set_up_fonts() {
    has_fonts && return
    if is_root_on_debian; then install_packages fontconfig fonts-noto-color-emoji fonts-wqy-microhei || true; fi
    has_fonts || echo "hunyuan-fix: no font with emoji and Chinese here: there will be empty boxes" >&2
}

set_up_chromium
export HUNYUAN_FIX_CHROMIUM
