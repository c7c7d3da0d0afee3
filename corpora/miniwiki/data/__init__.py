"""Data files of MiniWiki; see SOURCES.md for origin and licence."""
