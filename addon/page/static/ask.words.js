export default {
  "ask.cancel": {"en": "Cancel", "zh": "取消"}
}
