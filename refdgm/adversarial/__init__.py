"""Adversarial learning: GANs, f-GANs and f-EBMs; one method, one file."""
