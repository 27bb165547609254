export default {
  "settings.title": {"en": "Settings", "zh": "设置"}
}
