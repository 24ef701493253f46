# From a dataset's own folder to anonymized copies of it.


# Where jobs are only listed, raw datasets need not be there: this rule, of which no job is listed, stands in for them.
if LISTING in os.environ:

    rule raw:
        output:
            directory("{raw_root}"),
        wildcard_constraints:
            raw_root=any_of(absent_roots()) or "none",


rule render:
    output:
        folder=directory("data/rendered/{dataset}"),
        stamp="results/stamps/render/{dataset}.json",
    log:
        "logs/render/{dataset}.log",
    benchmark:
        "results/benchmarks/render/{dataset}.tsv"
    wildcard_constraints:
        dataset=any_of(RENDERED) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("render"),
        runtime=minutes("render"),
    params:
        spec=lambda w: json.dumps(DATASET_ENTRIES[w.dataset]["render"], sort_keys=True),
        code=lambda w: code_digest("anonbench.stages.render"),
    shell:
        "anonbench render --spec {params.spec:q} --output {output.folder} --stamp {output.stamp}"
        " --code {params.code} --threads {threads} > {log} 2>&1"


rule unpack:
    input:
        root=raw_root,
    output:
        folder=directory("results/images/{dataset}/original"),
        stamp="results/stamps/unpack/{dataset}.json",
    log:
        "logs/unpack/{dataset}.log",
    benchmark:
        "results/benchmarks/unpack/{dataset}.tsv"
    wildcard_constraints:
        dataset=any_of(UNPACKED) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("unpack"),
        runtime=minutes("unpack"),
    params:
        boxes=lambda w: DATASET_ENTRIES[w.dataset].get("boxes", "detected"),
        code=lambda w: code_digest("anonbench.stages.unpack"),
    shell:
        "anonbench unpack --root {input.root:q} --boxes {params.boxes} --output {output.folder}"
        " --stamp {output.stamp} --code {params.code} --threads {threads} > {log} 2>&1"


rule index:
    input:
        root=original_root,
    output:
        manifest="results/manifests/{dataset}/original.csv",
        dropped="results/manifests/{dataset}/dropped.csv",
        sidecars="results/manifests/{dataset}/sidecars.csv",
        splits="results/manifests/{dataset}/splits.csv",
        stamp="results/stamps/index/{dataset}.json",
    log:
        "logs/index/{dataset}.log",
    benchmark:
        "results/benchmarks/index/{dataset}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("index"),
        runtime=minutes("index"),
    params:
        spec=lambda w: json.dumps(
            {k: v for k, v in DATASET_ENTRIES[w.dataset].items() if k not in ("splits", "published_as")},
            sort_keys=True,
        ),
        code=lambda w: code_digest(
            "anonbench.stages.index", plugin_module(DATASETS, DATASET_ENTRIES[w.dataset]["format"])
        ),
        plugins=lambda w: needed_plugins(DATASETS, DATASET_ENTRIES[w.dataset]["format"]),
    shell:
        "anonbench index --root {input.root:q} --spec {params.spec:q} --output {output.manifest}"
        " --dropped {output.dropped} --sidecars {output.sidecars} --splits {output.splits} --plugins {params.plugins:q}"
        " --stamp {output.stamp} --code {params.code} --threads {threads} > {log} 2>&1"


rule detect:
    input:
        manifest="results/manifests/{dataset}/original.csv",
        root=original_root,
        weights=detector_weights,
    output:
        boxes="results/detections/{dataset}/{detector}.csv",
        stamp="results/stamps/detect/{dataset}/{detector}.json",
    log:
        "logs/detect/{dataset}/{detector}.log",
    benchmark:
        "results/benchmarks/detect/{dataset}/{detector}.tsv"
    wildcard_constraints:
        dataset=any_of([*DATASET_ENTRIES, *FACE_IMAGES]),
    conda:
        "../../envs/cpu.yaml"
    threads: lambda w: 1 if detector_gpus(w) else WORKERS
    resources:
        mem_mb=memory_mb("detect"),
        runtime=minutes("detect"),
        gpu=detector_gpus,
    params:
        spec=lambda w: json.dumps(detector_entry(w.detector), sort_keys=True),
        # Outside the outputs, which Snakemake deletes when a job fails: a killed run goes on from its last shard.
        resume="results/.resume/detect/{dataset}/{detector}",
        code=lambda w: code_digest(
            "anonbench.stages.detect",
            plugin_module(DETECTORS, config["detectors"][w.detector]["method"]),
        ),
        device=lambda w: config["device"] if config["detectors"][w.detector].get("gpu") else "cpu",
        plugins=lambda w: needed_plugins(DETECTORS, config["detectors"][w.detector]["method"]),
    shell:
        "anonbench detect --manifest {input.manifest} --root {input.root:q} --spec {params.spec:q}"
        " --output {output.boxes} --device {params.device} --resume-dir {params.resume} --plugins {params.plugins:q}"
        " --stamp {output.stamp} --code {params.code} --threads {threads} > {log} 2>&1"


rule anonymize:
    input:
        manifest="results/manifests/{dataset}/original.csv",
        sidecars="results/manifests/{dataset}/sidecars.csv",
        boxes=lambda w: detections_of(w.dataset, w.variant),
        root=original_root,
    output:
        folder=directory("results/images/{dataset}/{variant}"),
        manifest="results/manifests/{dataset}/{variant}.csv",
        stamp="results/stamps/anonymize/{dataset}/{variant}.json",
    log:
        "logs/anonymize/{dataset}/{variant}.log",
    benchmark:
        "results/benchmarks/anonymize/{dataset}/{variant}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("anonymize"),
        runtime=minutes("anonymize"),
    params:
        spec=lambda w: json.dumps(config["variants"][w.variant], sort_keys=True),
        resume="results/.resume/anonymize/{dataset}/{variant}",
        code=lambda w: code_digest(
            "anonbench.stages.anonymize",
            plugin_module(ANONYMIZERS, config["variants"][w.variant]["method"]),
        ),
        plugins=lambda w: needed_plugins(ANONYMIZERS, config["variants"][w.variant]["method"]),
    shell:
        "anonbench anonymize --manifest {input.manifest} --detections {input.boxes}"
        " --sidecars {input.sidecars} --root {input.root:q} --spec {params.spec:q} --output {output.folder}"
        " --output-manifest {output.manifest} --resume-dir {params.resume} --plugins {params.plugins:q}"
        " --stamp {output.stamp} --code {params.code} --threads {threads} > {log} 2>&1"
