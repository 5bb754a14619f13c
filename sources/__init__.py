"""Where market data comes from: venues, recorded tapes, importers, the synthetic market.

Sources know venues and the tape; they know nothing of features, storage or settings.
"""
