# Training, embedding, ranking: one training serves every setting that shares its train variant.

NETWORK = ("{dataset}", "{model}", "{train_variant}", "{run}")
TESTED = ("{query_variant}", "{gallery_variant}")


rule train:
    input:
        manifest=lambda w: stored_manifest(w.dataset, trained_on(w), w.run),
        root=lambda w: stored_images(w.dataset, trained_on(w), w.run),
        splits=split_file,
    output:
        output=paths.checkpoint(*NETWORK),
        history=paths.history(*NETWORK),
        stamp=paths.stamp("train", *NETWORK),
    log:
        paths.log("train", *NETWORK),
    wildcard_constraints:
        train_variant=any_of(["untrained", "original", *config["variants"]]),
    priority: 10  # long jobs first, so that none is left alone at the end
    conda:
        "../../envs/gpu.yaml"
    threads: training_threads
    resources:
        mem_mb=memory_mb("train"),
        runtime=minutes("train"),
        gpu=gpus_of,
    params:
        spec=model_spec,
        seed=lambda w: run_labels(w.run)["seed"],
        split=split_of,
        trained_on=lambda w: f"{w.dataset}/{trained_on(w)}",
        # Outside the outputs, which Snakemake deletes when a job fails: a killed training goes on from its last epoch.
        resume_dir=paths.resume(*NETWORK),
        device=config["device"],
        gpus=ranks_of,
        code=lambda w: digest("train", config["models"][w.model]["method"]),
        plugins=lambda w: needed_plugins("train", config["models"][w.model]["method"]),
    shell:
        call("train")


rule embed:
    input:
        checkpoint=paths.checkpoint(*NETWORK),
        manifest=lambda w: stored_manifest(w.dataset, w.any_variant, w.run),
        root=lambda w: stored_images(w.dataset, w.any_variant, w.run),
        splits=split_file,
    output:
        output=paths.features(*NETWORK, "{any_variant}"),
        stamp=paths.stamp("embed", *NETWORK, "{any_variant}"),
    log:
        paths.log("embed", *NETWORK, "{any_variant}"),
    conda:
        "../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("embed"),
        runtime=minutes("embed"),
        gpu=int(ON_GPU),
    params:
        split=split_of,
        device=config["device"],
        code=lambda w: digest("embed", config["models"][w.model]["method"]),
        plugins=lambda w: needed_plugins("embed", config["models"][w.model]["method"]),
    shell:
        call("embed", without=["batch_size"])


rule evaluate:
    input:
        query=paths.features(*NETWORK, "{query_variant}"),
        gallery=paths.features(*NETWORK, "{gallery_variant}"),
    output:
        output=paths.metrics(*NETWORK, *TESTED),
        queries=paths.metrics(*NETWORK, *TESTED, suffix=".queries.csv"),
        cmc=paths.metrics(*NETWORK, *TESTED, suffix=".cmc.csv"),
        stamp=paths.stamp("evaluate", *NETWORK, "{query_variant}-vs-{gallery_variant}"),
    log:
        paths.log("evaluate", *NETWORK, "{query_variant}-vs-{gallery_variant}"),
    conda:
        "../../envs/cpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("evaluate"),
        runtime=minutes("evaluate"),
    params:
        spec=lambda w: as_json(config["models"][w.model]["evaluation"]),
        labels=tested_labels,
        code=lambda w: digest("evaluate"),
    shell:
        call("evaluate")


rule compare_distances:
    input:
        query=paths.features(*NETWORK, "{query_variant}"),
        gallery=paths.features(*NETWORK, "{gallery_variant}"),
    output:
        output=paths.distances(*NETWORK, *TESTED),
        stamp=paths.stamp("compare_distances", *NETWORK, "{query_variant}-vs-{gallery_variant}"),
    log:
        paths.log("compare_distances", *NETWORK, "{query_variant}-vs-{gallery_variant}"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("compare_distances"),
        runtime=minutes("compare_distances"),
    params:
        labels=tested_labels,
        code=lambda w: digest("compare_distances"),
    shell:
        call("compare_distances")
