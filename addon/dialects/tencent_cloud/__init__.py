"""Tencent Cloud's own API for Hunyuan: `ChatCompletions`, `GetEmbedding`, `GetTokenCount`."""
