# The real clients of `scripts/test --clients`, to be sourced after environment.sh.
#
# Sets and exports HUNYUAN_FIX_CLIENTS, the folder where they live (default: .clients in the repository), and
# installs them first if one is missing or its version was changed. Versions: tests/clients. RD-Agent has an environment
# of its own, `rd-agent`: it is installed without most of what it demands.

# shellcheck shell=bash
HUNYUAN_FIX_CLIENTS="${HUNYUAN_FIX_CLIENTS:-$ROOT/.clients}"
case "$HUNYUAN_FIX_CLIENTS" in /*) ;; *) HUNYUAN_FIX_CLIENTS="$PWD/$HUNYUAN_FIX_CLIENTS" ;; esac
export HUNYUAN_FIX_CLIENTS
PINS="$ROOT/tests/clients"

clients_stamp() {
    printf '%s\n' "$HUNYUAN_FIX_CLIENTS"
    cat -- "$PINS/package.json" "$PINS/package-lock.json" "$PINS/requirements.txt"
}

clients_up_to_date() {
    [ -f "$HUNYUAN_FIX_CLIENTS/stamp" ] && clients_stamp | cmp -s - "$HUNYUAN_FIX_CLIENTS/stamp"
}

# `npm install` and not `npm ci`: the lock was written where a registry had no packages for other platforms,
# and only `install` adds what this one needs to what is pinned. It is a copy that it may change.
install_clients() {
    command -v npm >/dev/null || {
        echo "scripts/test --clients needs Node 20 or newer with npm; it brings its own Node for the clients" >&2
        exit 1
    }
    echo "hunyuan-fix: installing the clients into $HUNYUAN_FIX_CLIENTS (once, about 3 GB)" >&2
    rm -f -- "$HUNYUAN_FIX_CLIENTS/stamp"
    echo '*' >"$HUNYUAN_FIX_CLIENTS/.gitignore" # neither git nor ruff is to look into it
    cp -- "$PINS/package.json" "$PINS/package-lock.json" "$PINS/.npmrc" "$HUNYUAN_FIX_CLIENTS/"
    npm install --prefix "$HUNYUAN_FIX_CLIENTS" --loglevel=error --no-update-notifier
    "$PYTHON" -m venv --clear "$HUNYUAN_FIX_CLIENTS/python"
    "$HUNYUAN_FIX_CLIENTS/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --requirement "$PINS/requirements.txt"
    clients_stamp >"$HUNYUAN_FIX_CLIENTS/stamp"
}

rd_agent_stamp() {
    printf '%s\n' "$HUNYUAN_FIX_CLIENTS"
    cat -- "$PINS/rd-agent.txt"
}

rd_agent_up_to_date() {
    [ -f "$HUNYUAN_FIX_CLIENTS/rd-agent/stamp" ] && rd_agent_stamp | cmp -s - "$HUNYUAN_FIX_CLIENTS/rd-agent/stamp"
}

install_rd_agent() {
    echo "hunyuan-fix: installing RD-Agent into $HUNYUAN_FIX_CLIENTS/rd-agent (once, about 400 MB)" >&2
    echo '*' >"$HUNYUAN_FIX_CLIENTS/.gitignore"
    "$PYTHON" -m venv --clear "$HUNYUAN_FIX_CLIENTS/rd-agent"
    "$HUNYUAN_FIX_CLIENTS/rd-agent/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
        --requirement "$PINS/rd-agent.txt"
    rd_agent_stamp >"$HUNYUAN_FIX_CLIENTS/rd-agent/stamp"
}

set_up_clients() {
    clients_up_to_date && rd_agent_up_to_date && return
    mkdir -p -- "$HUNYUAN_FIX_CLIENTS"
    (
        lock "$PYTHON"
        { clients_up_to_date || install_clients; } 9<&- >&2
        { rd_agent_up_to_date || install_rd_agent; } 9<&- >&2
    ) 9<"$PINS/package.json"
}

set_up_clients
