"""Verdicts counted against labels: scores, intervals, comparisons with a baseline, and gates."""
