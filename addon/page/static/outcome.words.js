export default {
  "outcome.good": {"en": "answered", "zh": "成功"},
  "outcome.left": {"en": "client left", "zh": "客户端断开"},
  "outcome.refused": {"en": "refused here", "zh": "代理拒绝"},
  "outcome.endpoint": {"en": "endpoint's error", "zh": "上游报错"},
  "outcome.failed": {"en": "no whole answer", "zh": "应答不完整"},
  "outcome.preparing": {"en": "being prepared", "zh": "处理中"},
  "outcome.queued": {"en": "waits for a slot", "zh": "排队中"},
  "outcome.sent": {"en": "sent, no answer yet", "zh": "已发送，等待应答"},
  "outcome.retried": {"en": "tried again", "zh": "重试中"},
  "outcome.answering": {"en": "answer comes", "zh": "正在应答"}
}
