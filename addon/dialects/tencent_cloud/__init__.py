"""Tencent Cloud's own API for Hunyuan: `ChatCompletions`, `GetEmbedding`, `GetTokenCount`, as clients and as endpoints
speak it. `client…`: programs with the vendor's SDK.
"""
