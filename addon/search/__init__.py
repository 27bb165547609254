"""Web search for models that have none: a program of the user's gets a query and prints results as JSON."""
