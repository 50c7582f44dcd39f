"""Component scores, and how they are combined."""
