"""Component scores: what speaks against a row, and how they are combined."""
