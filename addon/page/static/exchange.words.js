export default {
  "exchange.title": {"en": "Exchange", "zh": "请求详情"}
}
