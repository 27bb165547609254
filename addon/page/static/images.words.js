export default {
  "images.title": {"en": "Images", "zh": "图片"}
}
