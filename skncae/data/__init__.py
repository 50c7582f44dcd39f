"""Rows: what comes in, where it is read from, and samples and quantiles of it."""
