"""Counting: how many tokens a request has, and whether they fit into its model's window."""
