"""Offline evaluation: metrics, runner and statistics."""
