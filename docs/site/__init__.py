"""Makes a site and a man page of the pages in the repository: ``python -m docs.site``, as ``make docs`` does.

Pages stay plain Markdown that a Git host shows as well. Nothing here is part of the installed package.
"""
