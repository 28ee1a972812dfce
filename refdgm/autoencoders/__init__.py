"""Denoising autoencoders and generative stochastic networks."""
