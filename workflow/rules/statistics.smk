# From tables and per-query results to what they allow one to conclude: results/statistics/statistics.md.
# All of it stands on the tables named under `build:`.

STATISTICS = config["statistics"]
SETTING_TABLES = tables_with(*SETTING_ROWS)
ALPHA = round(1 - STATISTICS["confidence"], 10)
SETTING_METRICS = sorted({path for table in SETTING_TABLES for path in settings_metrics(table)})
STUDY_DATASETS = [config["tables"][table]["dataset"] for table in SETTING_TABLES]


rule ttest:
    input:
        tables=expand("results/tables/{table}.csv", table=tables_with("models")),
    output:
        csv="results/statistics/ttest.csv",
        stamp="results/stamps/ttest.json",
    log:
        "logs/ttest.log",
    benchmark:
        "results/benchmarks/ttest.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("ttest"),
        runtime=minutes("ttest"),
    params:
        code=lambda w: code_digest("anonbench.stages.ttest"),
    shell:
        "anonbench ttest --tables {input.tables} --output {output.csv} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


rule effects:
    input:
        tables=expand("results/tables/{table}.csv", table=tables_with("models")),
    output:
        csv="results/statistics/effects.csv",
        stamp="results/stamps/effects.json",
    log:
        "logs/effects.log",
    benchmark:
        "results/benchmarks/effects.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("effects"),
        runtime=minutes("effects"),
    params:
        margin=STATISTICS["margin"],
        alpha=ALPHA,
        code=lambda w: code_digest("anonbench.stages.statistics"),
    shell:
        "anonbench effects --tables {input.tables} --margin {params.margin} --alpha {params.alpha}"
        " --output {output.csv} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule cells:
    input:
        metrics=SETTING_METRICS,
    output:
        csv="results/statistics/cells.csv",
        stamp="results/stamps/cells.json",
    log:
        "logs/cells.log",
    benchmark:
        "results/benchmarks/cells.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("cells"),
        runtime=minutes("cells"),
    params:
        margin=STATISTICS["margin"],
        alpha=ALPHA,
        resamples=STATISTICS["resamples"],
        code=lambda w: code_digest("anonbench.stages.statistics"),
    shell:
        "anonbench cells --metrics {input.metrics} --margin {params.margin} --alpha {params.alpha}"
        " --resamples {params.resamples} --output {output.csv} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule noise_floor:
    input:
        metrics=SETTING_METRICS,
    output:
        csv="results/statistics/noise.csv",
        stamp="results/stamps/noise_floor.json",
    log:
        "logs/noise_floor.log",
    benchmark:
        "results/benchmarks/noise_floor.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("noise_floor"),
        runtime=minutes("noise_floor"),
    params:
        alpha=ALPHA,
        resamples=STATISTICS["resamples"],
        code=lambda w: code_digest("anonbench.stages.statistics"),
    shell:
        "anonbench noise_floor --metrics {input.metrics} --alpha {params.alpha} --resamples {params.resamples}"
        " --output {output.csv} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule faces:
    input:
        metrics=SETTING_METRICS,
        boxes=sorted(
            {
                detections_of(config["tables"][table]["dataset"], variant)
                for table in SETTING_TABLES
                for variant in config["tables"][table]["variants"]
            }
        ),
    output:
        csv="results/statistics/faces.csv",
        stamp="results/stamps/faces.json",
    log:
        "logs/faces.log",
    benchmark:
        "results/benchmarks/faces.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("faces"),
        runtime=minutes("faces"),
    params:
        spec=json.dumps(
            [
                {"dataset": dataset, "variant": variant, "detections": detections_of(dataset, variant)}
                for dataset, variant in dict.fromkeys(
                    (config["tables"][table]["dataset"], variant)
                    for table in SETTING_TABLES
                    for variant in config["tables"][table]["variants"]
                )
            ]
        ),
        bins=STATISTICS["face_heights_px"],
        alpha=ALPHA,
        resamples=STATISTICS["resamples"],
        code=lambda w: code_digest("anonbench.stages.statistics"),
    shell:
        "anonbench faces --metrics {input.metrics} --spec {params.spec:q} --bins {params.bins} --alpha {params.alpha}"
        " --resamples {params.resamples} --output {output.csv} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule conclusions:
    input:
        cells="results/statistics/cells.csv",
        noise="results/statistics/noise.csv",
        faces="results/statistics/faces.csv",
        effects="results/statistics/effects.csv",
    output:
        page="results/statistics/statistics.md",
        stamp="results/stamps/conclusions.json",
    log:
        "logs/conclusions.log",
    benchmark:
        "results/benchmarks/conclusions.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("conclusions"),
        runtime=minutes("conclusions"),
    params:
        label=data_label(STUDY_DATASETS),
        alpha=ALPHA,
        code=lambda w: code_digest("anonbench.stages.statistics"),
    shell:
        "anonbench conclusions --cells {input.cells} --noise {input.noise} --faces {input.faces}"
        " --effects {input.effects} --label {params.label:q} --alpha {params.alpha} --output {output.page}"
        " --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule published:
    input:
        tables=expand("config/published/{file}.csv", file=[*(f"table{n}" for n in range(2, 8)), "text"]),
    output:
        csv="results/statistics/published.csv",
        page="results/statistics/published.md",
        stamp="results/stamps/published.json",
    log:
        "logs/published.log",
    benchmark:
        "results/benchmarks/published.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("published"),
        runtime=minutes("published"),
    params:
        margin=STATISTICS["margin"],
        alpha=ALPHA,
        code=lambda w: code_digest("anonbench.stages.statistics"),
    shell:
        "anonbench published --folder config/published --margin {params.margin} --alpha {params.alpha}"
        " --output {output.csv} --readable {output.page} --stamp {output.stamp} --code {params.code} > {log} 2>&1"
