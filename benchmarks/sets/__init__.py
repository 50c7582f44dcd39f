"""Rows to measure on: where they come from, and what they must hash to."""
