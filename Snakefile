# So that `snakemake` works in the root folder: the workflow is workflow/Snakefile.
include: "workflow/Snakefile"


workflow.default_target = "all"  # an included file's `default_target:` does not count
