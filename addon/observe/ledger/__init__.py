"""The ledger: a row for each call that may have to be paid, in a file of the user's data folder."""
