"""Vectors of passages, from encoders or from files, and faiss indexes of them on the disk."""
