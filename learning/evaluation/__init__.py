"""What a model is worth beside simple ones, and what so little data cannot tell (docs/learning.md, 6)."""
