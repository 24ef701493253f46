# Training, embedding, ranking: one training serves every setting that shares its train variant.


rule train:
    input:
        manifest=lambda w: f"results/manifests/{w.dataset}/{trained_on(w)}.csv",
        root=lambda w: image_folder(w.dataset, trained_on(w)),
        splits=split_file,
    output:
        output="results/models/{dataset}/{model}/{train_variant}/{run}/model.pt",
        history="results/models/{dataset}/{model}/{train_variant}/{run}/history.csv",
        stamp="results/stamps/train/{dataset}/{model}/{train_variant}/{run}.json",
    log:
        "logs/train/{dataset}/{model}/{train_variant}/{run}.log",
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
        # Outside the outputs, which Snakemake deletes when a job fails: a killed training goes on from its last epoch.
        resume_dir="results/.resume/{dataset}/{model}/{train_variant}/{run}",
        device=config["device"],
        gpus=ranks_of,
        code=lambda w: digest("train", config["models"][w.model]["method"]),
        plugins=lambda w: needed_plugins("train", config["models"][w.model]["method"]),
    shell:
        call("train")


rule embed:
    input:
        checkpoint="results/models/{dataset}/{model}/{train_variant}/{run}/model.pt",
        manifest="results/manifests/{dataset}/{any_variant}.csv",
        root=image_root,
        splits=split_file,
    output:
        output="results/features/{dataset}/{model}/{train_variant}/{run}/{any_variant}.npz",
        stamp="results/stamps/embed/{dataset}/{model}/{train_variant}/{run}/{any_variant}.json",
    log:
        "logs/embed/{dataset}/{model}/{train_variant}/{run}/{any_variant}.log",
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
        query="results/features/{dataset}/{model}/{train_variant}/{run}/{query_variant}.npz",
        gallery="results/features/{dataset}/{model}/{train_variant}/{run}/{gallery_variant}.npz",
    output:
        output="results/metrics/{dataset}/{model}/{train_variant}/{run}/{query_variant}-vs-{gallery_variant}.json",
        queries="results/metrics/{dataset}/{model}/{train_variant}/{run}/{query_variant}-vs-{gallery_variant}.queries.csv",
        cmc="results/metrics/{dataset}/{model}/{train_variant}/{run}/{query_variant}-vs-{gallery_variant}.cmc.csv",
        stamp="results/stamps/evaluate/{dataset}/{model}/{train_variant}/{run}/{query_variant}-vs-{gallery_variant}.json",
    log:
        "logs/evaluate/{dataset}/{model}/{train_variant}/{run}/{query_variant}-vs-{gallery_variant}.log",
    conda:
        "../../envs/cpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("evaluate"),
        runtime=minutes("evaluate"),
    params:
        spec=lambda w: as_json(config["models"][w.model]["evaluation"]),
        labels=lambda w: json.dumps(
            {
                "dataset": w.dataset,
                "model": w.model,
                **run_labels(w.run),
                "train": w.train_variant,
                "query": w.query_variant,
                "gallery": w.gallery_variant,
            }
        ),
        code=lambda w: digest("evaluate"),
    shell:
        call("evaluate")
