"""What the numbers of a table allow one to conclude."""
