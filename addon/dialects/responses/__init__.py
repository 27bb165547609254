"""OpenAI Responses, the format of Codex and OpenAI's SDKs: requests become chat, chat answers responses."""
