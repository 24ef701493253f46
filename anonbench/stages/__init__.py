"""One short module per rule of the workflow: read paths, call the library, write paths."""
