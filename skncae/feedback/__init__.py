"""Answers of a reviewer, and what is learnt from them without another fit."""
