export default {
  "charts.table": {"en": "Figures", "zh": "数据表"},
  "charts.none": {"en": "Nothing in this time.", "zh": "这段时间没有数据。"},
  "charts.minute": {"en": "Minute", "zh": "时间"}
}
