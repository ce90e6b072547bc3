"""The content-addressed store of solved bases."""
