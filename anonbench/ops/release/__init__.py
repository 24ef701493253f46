"""Copies that are handed over: the folder, what it says about itself, and whether a received one is whole."""
