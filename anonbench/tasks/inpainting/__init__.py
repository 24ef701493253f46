"""Trains a generator that puts other people into the holes where people were (`training.inpainter`)."""
