"""Brute-force features of a whole tape, written from the definitions in docs/ and from nothing else.

Every module holds one concept, in plain Python and without state that is carried along: whatever a row needs is
computed again from the full list of events since the last restart. Slow and literal, so that it can be read as proof.

Sums over the levels of one book are taken left to right, best level first; sums over updates, trades and rows are
exactly rounded (`math.fsum`), means and deviations exact until the last step (`fractions.Fraction`).
"""
