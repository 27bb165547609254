export default {
  "nav": {"en": "Views", "zh": "导航"},
  "nav.": {"en": "Overview", "zh": "总览"},
  "nav.exchanges": {"en": "Exchanges", "zh": "请求"},
  "nav.sessions": {"en": "Sessions", "zh": "会话"},
  "nav.images": {"en": "Images", "zh": "图片"},
  "nav.settings": {"en": "Settings", "zh": "设置"},
  "skip": {"en": "Skip to the content", "zh": "跳到正文"},
  "theme": {"en": "Colours", "zh": "外观"},
  "theme.": {"en": "System", "zh": "跟随系统"},
  "theme.light": {"en": "Light", "zh": "浅色"},
  "theme.dark": {"en": "Dark", "zh": "深色"},
  "other-language": {"en": "中文", "zh": "English"},
  "again": {"en": "Try again", "zh": "重试"},
  "lost": {"en": "The proxy doesn't answer. It may have ended: start it again, then try again here.", "zh": "代理没有响应，可能已经退出；请先重新启动，再点“重试”。"}
}
