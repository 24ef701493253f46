"""DVC over Snakemake: Snakemake decides what to run, DVC remembers every artifact and gives it back.

`cells` writes DVC's pipeline from Snakemake's graph, `record` takes a Snakemake run into dvc.lock, `adopt` tells
Snakemake what DVC brought back.
"""
