# So that `snakemake` works in the root folder: the workflow is workflow/Snakefile.
include: "workflow/Snakefile"
