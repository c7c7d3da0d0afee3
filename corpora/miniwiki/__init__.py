"""MiniWiki: an encyclopedia written from facts, with an oracle."""
