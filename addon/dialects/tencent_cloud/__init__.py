"""Tencent Cloud's own Hunyuan API (hunyuan.tencentcloudapi.com, version 2023-09-01), as clients and as endpoints speak it.

`client*`: programs that use the vendor's SDK. `upstream*`: endpoints that speak it.
"""
