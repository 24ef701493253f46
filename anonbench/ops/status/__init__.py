"""What of a workflow is done, running, failed and left, while it runs, here or on a cluster, and afterwards."""
