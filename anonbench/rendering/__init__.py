"""Rendered people: a procedural stand-in for re-identification datasets, with ground truth."""
