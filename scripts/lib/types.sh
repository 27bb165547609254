# mypy --strict over everything, in place of this shell. To be sourced after environment.sh.
#
# The package is called hunyuan_fix and its folder addon, which mypy can't be told: it looks at links instead.
# shellcheck shell=bash
check_types() {
    local links="$ROOT/.mypy/hunyuan_fix"
    rm -rf "$ROOT/.mypy"
    mkdir -p "$links"
    ln -s "$ROOT"/addon/* "$ROOT/simulator" "$links"
    exec "$PYTHON" -m mypy
}
