"""What followed each feature row, once it is known (docs/learning.md, 1): returns, barriers, uniqueness."""
