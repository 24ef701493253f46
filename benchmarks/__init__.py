"""Side-by-side measurements against peers; each module is one command, results are in RESULTS.md."""
