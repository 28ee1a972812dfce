"""Densities with exact oracles: joint, marginal, posterior, score, and small random cases."""
