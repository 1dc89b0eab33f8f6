"""Guides in Markdown, shown by `runner help`."""
