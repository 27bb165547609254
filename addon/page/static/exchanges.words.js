export default {
  "exchanges.title": {"en": "Exchanges", "zh": "请求"}
}
