"""What becomes of verdicts: rows, as objects of JSON, in a run directory and as a table; and PD's published table."""
