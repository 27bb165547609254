# Sentences of these scripts in the user's language, to be sourced after ROOT is set.
#
# SPEAKS is the language, `zh` or `en`, by the rule of hunyuan_fix.texts.terminal.preferred. `say FORMAT WORDS...` is
# printf and a newline, with the Chinese of FORMAT where there is one. lib/sentences.py reads the same zh.toml.

# shellcheck shell=bash
case "${HUNYUAN_LANGUAGE:-}" in
zh | en) SPEAKS="$HUNYUAN_LANGUAGE" ;;
*)
    SPEAKS=en
    locale="${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}"
    case "$locale" in
    "" | C | C.* | POSIX | POSIX.*) wanted="$locale" ;;
    *) wanted="${LANGUAGE:-}:$locale" ;; # as in gettext, a list by preference
    esac
    while [ -n "$wanted" ]; do
        case "${wanted%%:*}" in
        [zZ][hH] | [zZ][hH][!a-zA-Z]* | [cC][hH][iI][nN][eE][sS][eE] | [cC][hH][iI][nN][eE][sS][eE][!a-zA-Z]*)
            SPEAKS=zh
            break
            ;;
        [eE][nN] | [eE][nN][!a-zA-Z]*) break ;;
        esac
        case "$wanted" in
        *:*) wanted="${wanted#*:}" ;;
        *) wanted="" ;;
        esac
    done
    unset locale wanted
    ;;
esac

say() {
    local format="$1" line key="\"$1\" = \""
    shift
    if [ "$SPEAKS" = zh ]; then
        while IFS= read -r line; do
            case "$line" in
            "$key"*)
                format="${line#"$key"}"
                format="${format%\"}"
                break
                ;;
            esac
        done <"$ROOT/scripts/lib/zh.toml"
    fi
    # shellcheck disable=SC2059 # the format is a sentence of ours
    printf "$format\n" "$@"
}
