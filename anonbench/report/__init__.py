"""Tables and pictures for reading."""
