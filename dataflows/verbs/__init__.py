"""The verbs of ``tickwax``; importing this package registers them."""
