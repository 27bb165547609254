"""Embeddings: vectors that are known from before, and texts that are too long for their model."""
