"""Pages for people; the code that makes a site of them is in `docs.site`."""
