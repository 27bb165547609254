export default {
  "overview.title": {"en": "What goes on", "zh": "当前情况"}
}
