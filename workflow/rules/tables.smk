# From metrics to tables.


rule table:
    input:
        metrics=lambda w: settings_metrics(w.table),
        published=lambda w: published_file(w.table),
        baseline=lambda w: published_file(w.table, "published_baseline"),
    output:
        csv="results/tables/{table}.csv",
        readable=multiext("results/tables/{table}", ".md", ".tex", ".json", ".runs.csv", ".compare.csv"),
        stamp="results/stamps/table/{table}.json",
    log:
        "logs/table/{table}.log",
    benchmark:
        "results/benchmarks/table/{table}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("table"),
        runtime=minutes("table"),
    params:
        spec=lambda w: table_spec(w.table),
        label=lambda w: data_label(table_datasets(w.table)),
        published=lambda w, input: " ".join(
            f"--{name} {input[name]}" for name in ("published", "baseline") if input.get(name)
        ),
        code=lambda w: code_digest("anonbench.stages.table"),
    shell:
        "anonbench table --metrics {input.metrics} --name {wildcards.table} --spec {params.spec:q}"
        " --label {params.label:q} {params.published} --output {output.csv} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


rule reported:
    input:
        metrics=lambda w: reported_metrics(w.reported_table),
        published=lambda w: published_file(w.reported_table),
    output:
        csv="results/tables/{reported_table}.csv",
        readable=multiext("results/tables/{reported_table}", ".md", ".tex", ".compare.csv"),
        stamp="results/stamps/reported/{reported_table}.json",
    log:
        "logs/reported/{reported_table}.log",
    benchmark:
        "results/benchmarks/reported/{reported_table}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("reported"),
        runtime=minutes("reported"),
    params:
        spec=lambda w: table_spec(w.reported_table),
        label=lambda w: data_label(table_datasets(w.reported_table)),
        code=lambda w: code_digest("anonbench.stages.table"),
    shell:
        "anonbench reported --metrics {input.metrics} --name {wildcards.reported_table} --spec {params.spec:q}"
        " --label {params.label:q} --published {input.published} --output {output.csv} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


rule datasets:
    input:
        manifests=lambda w: expand(
            "results/manifests/{dataset}/original.csv", dataset=config["tables"][w.dataset_table]["datasets"]
        ),
        dropped=lambda w: expand(
            "results/manifests/{dataset}/dropped.csv", dataset=config["tables"][w.dataset_table]["datasets"]
        ),
        published=lambda w: published_file(w.dataset_table),
    output:
        csv="results/tables/{dataset_table}.csv",
        readable=multiext("results/tables/{dataset_table}", ".md", ".tex", ".compare.csv"),
        stamp="results/stamps/datasets/{dataset_table}.json",
    log:
        "logs/datasets/{dataset_table}.log",
    benchmark:
        "results/benchmarks/datasets/{dataset_table}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("datasets"),
        runtime=minutes("datasets"),
    params:
        spec=lambda w: table_spec(w.dataset_table),
        label=lambda w: data_label(table_datasets(w.dataset_table)),
        code=lambda w: code_digest("anonbench.stages.table"),
    shell:
        "anonbench datasets --manifests {input.manifests} --dropped {input.dropped} --name {wildcards.dataset_table}"
        " --spec {params.spec:q} --label {params.label:q} --published {input.published} --output {output.csv}"
        " --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule untrained:
    input:
        metrics=[
            metrics_path(config["tables"][table]["dataset"], model, run, train, "original")
            for table in config["untrained"]
            for model in config["tables"][table]["models"]
            for train in ("untrained", "original")
            for run in runs_of(config["tables"][table]["dataset"], model)
        ],
    output:
        csv="results/tables/untrained.csv",
        readable=multiext("results/tables/untrained", ".md", ".tex"),
        stamp="results/stamps/untrained.json",
    log:
        "logs/untrained.log",
    benchmark:
        "results/benchmarks/untrained.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("untrained"),
        runtime=minutes("untrained"),
    params:
        spec=json.dumps(
            [
                {"dataset": config["tables"][table]["dataset"], "model": model}
                for table in config["untrained"]
                for model in config["tables"][table]["models"]
            ]
        ),
        label=data_label([config["tables"][table]["dataset"] for table in config["untrained"]]),
        code=lambda w: code_digest("anonbench.stages.table"),
    shell:
        "anonbench untrained --metrics {input.metrics} --spec {params.spec:q} --label {params.label:q}"
        " --output {output.csv} --stamp {output.stamp} --code {params.code} > {log} 2>&1"
