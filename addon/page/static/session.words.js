export default {
  "session.title": {"en": "Session", "zh": "会话详情"}
}
