# Sentences of these scripts in the user's language, to be sourced after ROOT is set.
#
# SPEAKS is the language, `zh` or `en`, by the rule of hunyuan_fix.texts.terminal.preferred. `say FORMAT WORDS...` is
# printf and a newline, with the Chinese of FORMAT where there is one. lib/sentences.py reads the same zh.toml.

# shellcheck shell=bash
case "${HUNYUAN_LANGUAGE:-}" in
zh | en) SPEAKS="$HUNYUAN_LANGUAGE" ;;
*)
    case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
    [zZ][hH]* | [cC][hH][iI][nN][eE][sS][eE]*) SPEAKS=zh ;;
    *) SPEAKS=en ;;
    esac
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
