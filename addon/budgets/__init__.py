"""Budgets: what clients, sessions and all together may spend in a day or a month, in tokens or money.

    client:alice day 2M tokens
    all month 300 CNY

A call reserves what it will probably use before it leaves, and settles what it did use when it is over (`spending`).
Reservations and sums are in a store that all workers share (`counters`): Redis, else an SQLite file, else memory.
"""
