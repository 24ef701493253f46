"""How good a detector is where the truth is known: precision, recall, average precision, recall by group of faces."""
