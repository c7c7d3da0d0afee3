"""Agents that act and learn, and the loop in which they train each other."""
