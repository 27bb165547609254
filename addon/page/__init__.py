"""The page in a browser: what goes on, what was changed and why, what broke the prompt cache."""
