"""The compiled twins of the samplers: one model, one file; each changes blocks of chains in place."""
