# A Chromium for what looks at mitmweb's page (tests, screenshots), to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_CHROMIUM, the program: the one given, else one in PATH, else, as root on Debian,
# Debian's own, which is installed once. Where there is none it stays empty and what to do is said: whatever needs
# a browser then fails with the same words (scripts/lib/browser.py), and nothing else does.

# shellcheck shell=bash
. "$ROOT/scripts/lib/packages.sh"

find_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
    return 1
}

install_chromium() {
    install_packages chromium
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

set_up_program HUNYUAN_FIX_CHROMIUM find_chromium install_chromium Chromium
