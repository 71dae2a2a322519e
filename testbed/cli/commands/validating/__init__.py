"""How the command `validate` carries out a suite, compares, and tells."""
