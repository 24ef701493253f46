"""What runs the workflow and computes nothing: graph, provenance, status, recovery, DVC."""
