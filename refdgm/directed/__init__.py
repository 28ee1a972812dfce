"""Directed models: one method of learning them, one file."""
