"""Reflection: what episodes teach, as rules that must prove themselves (docs/reflecting.md)."""
