"""Executable arguments: one file a derivation, installed as refdgm.derivations."""
