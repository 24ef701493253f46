"""Anonymizers: the only place where pixels are hidden. One module a method, named like its key in the config."""
