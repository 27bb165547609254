"""An answer that was cut and is continued: the request of the next round, and the rounds as one answer. Pure.

A round is one call of which the answer is made; the first is the client's own request.
"""
