"""Dialects: how a seat's turns and tool results are written as text."""
