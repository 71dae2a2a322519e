"""Scores as people read them: the board and its figures."""
