"""Rules: what a strategy is kept from, as data; and episodes, which rules are learned from (docs/reflecting.md)."""
