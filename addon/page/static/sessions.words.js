export default {
  "sessions.title": {"en": "Sessions", "zh": "会话"}
}
