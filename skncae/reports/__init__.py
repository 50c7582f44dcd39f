"""What a person reads: rows that stand out, why, and what the table looks like.

``report(detector, X)`` goes over the rows once and keeps plain dictionaries; a template
turns them into one HTML file that asks nobody for anything.
"""

from skncae.reports._report import Report, make_report

__all__ = ["Report", "make_report"]
