"""What is known: sources, passages, the passage store and the catalog."""
