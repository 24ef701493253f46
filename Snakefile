# anonbench: raw dataset -> manifest -> detections -> anonymized variants -> trained models -> metrics -> tables.
#
#   snakemake --cores 8                                            Study 1 on rendered people (config/default.yaml)
#   snakemake --cores 8 results/tables/table3.csv                  one table
#   snakemake --cores 8 --configfile config/paper.yaml             the study at paper scale on the real datasets
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/default.yaml"
configfile: "config/studies/reid_faces.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/faces.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/report_common.smk"
include: "workflow/rules/detection_common.smk"
include: "workflow/rules/detection.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/studies/reid_faces_common.smk"
include: "workflow/rules/studies/reid_faces.smk"
include: "workflow/rules/planning.smk"


rule all:
    default_target: True
    input:
        [paths.table(name) for name in config["build"]],
        paths.table("detection"),
        reid_faces_reports(),
