"""Documents in a request: what text they hold. Pure."""
