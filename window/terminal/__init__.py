"""A run on the terminal: all instruments in a table, one of them with its book, and the log."""
