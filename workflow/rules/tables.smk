# From metrics to tables, tests and pictures.


rule table:
    input:
        metrics=table_metrics,
    output:
        csv="results/tables/{table}.csv",
        markdown="results/tables/{table}.md",
        stamp="results/stamps/table/{table}.json",
    log:
        "logs/table/{table}.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: json.dumps(config["tables"][w.table]),
        label=lambda w: data_label([config["tables"][w.table]["dataset"]]),
        code=code_digest("anonbench.stages.table"),
    shell:
        "anonbench table --metrics {input.metrics} --name {wildcards.table} --spec {params.spec:q}"
        " --label {params.label:q} --output {output.csv} --markdown {output.markdown} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


rule untrained:
    input:
        metrics=[
            metrics_path(config["tables"][table]["dataset"], model, seed, train, "original")
            for table in config["untrained"]
            for model in config["tables"][table]["models"]
            for train in ("untrained", "original")
            for seed in config["seeds"]
        ],
    output:
        csv="results/tables/untrained.csv",
        markdown="results/tables/untrained.md",
        stamp="results/stamps/untrained.json",
    log:
        "logs/untrained.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=json.dumps(
            [
                {"dataset": config["tables"][table]["dataset"], "model": model}
                for table in config["untrained"]
                for model in config["tables"][table]["models"]
            ]
        ),
        label=data_label([config["tables"][table]["dataset"] for table in config["untrained"]]),
        code=code_digest("anonbench.stages.table"),
    shell:
        "anonbench untrained --metrics {input.metrics} --spec {params.spec:q} --label {params.label:q}"
        " --output {output.csv} --markdown {output.markdown} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule ttest:
    input:
        tables=expand("results/tables/{table}.csv", table=config["ttest"]),
    output:
        csv="results/statistics/ttest.csv",
        stamp="results/stamps/ttest.json",
    log:
        "logs/ttest.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        code=code_digest("anonbench.stages.ttest"),
    shell:
        "anonbench ttest --tables {input.tables} --output {output.csv} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


SAMPLED = next((t for t in config["tables"].values() if t["rows"] == "anonymizers"), None) or next(
    iter(config["tables"].values())
)


rule samples:
    input:
        manifest=f"results/manifests/{SAMPLED['dataset']}/original.csv",
        boxes=f"results/detections/{SAMPLED['dataset']}/{config['variants'][SAMPLED['variants'][0]]['detector']}.csv",
        folders=expand("results/images/{dataset}/{variant}", dataset=SAMPLED["dataset"], variant=SAMPLED["variants"]),
    output:
        picture="results/figures/variants.png",
        stamp="results/stamps/samples.json",
    log:
        "logs/samples.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=json.dumps(
            {
                "original": (
                    DATASET_ENTRIES[SAMPLED["dataset"]]["root"]
                    if SAMPLED["dataset"] not in UNPACKED
                    else f"results/images/{SAMPLED['dataset']}/original"
                ),
                **{v: f"results/images/{SAMPLED['dataset']}/{v}" for v in SAMPLED["variants"]},
            }
        ),
        people=config["samples"],
        code=code_digest("anonbench.stages.samples"),
    shell:
        "anonbench samples --manifest {input.manifest} --detections {input.boxes} --spec {params.spec:q}"
        " --count {params.people} --output {output.picture} --stamp {output.stamp} --code {params.code} > {log} 2>&1"
