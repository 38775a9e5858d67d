"""Arenas: one folder a component kind, and the process that runs candidates in them."""
