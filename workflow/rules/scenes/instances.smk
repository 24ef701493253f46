# Networks that find instances in scenes: trained on a variant, tested on another, scored.


rule train_instances:
    input:
        manifest=paths.manifest("{dataset}", "{scene_variant}"),
        root=lambda w: image_folder(w.dataset, w.scene_variant),
        instances=paths.instances("{dataset}"),
        initial=initial_network,
    output:
        output=paths.checkpoint(*INSTANCE_NETWORK),
        history=paths.history(*INSTANCE_NETWORK),
        stamp=paths.stamp("train_instances", *INSTANCE_NETWORK),
    log:
        paths.log("train_instances", *INSTANCE_NETWORK),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
    priority: 10  # long jobs first, so that none is left alone at the end
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("train_instances"),
        runtime=minutes("train_instances"),
        gpu=int(ON_GPU),
    params:
        spec=instance_model_spec,
        seed=lambda w: run_labels(w.run)["seed"],
        trained_on="{dataset}/{scene_variant}",
        resume_dir=paths.resume("train_instances", *INSTANCE_NETWORK),
        device=config["device"],
        code=lambda w: digest("train_instances", instance_method(w)),
        plugins=lambda w: needed_plugins("train_instances", instance_method(w)),
    shell:
        call("train_instances")


rule predict_instances:
    input:
        checkpoint=paths.checkpoint(*INSTANCE_NETWORK),
        manifest=paths.manifest("{dataset}", "{tested_variant}"),
        root=lambda w: image_folder(w.dataset, w.tested_variant),
    output:
        output=paths.predictions(*INSTANCE_NETWORK, "{tested_variant}"),
        stamp=paths.stamp("predict_instances", *INSTANCE_NETWORK, "{tested_variant}"),
    log:
        paths.log("predict_instances", *INSTANCE_NETWORK, "{tested_variant}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("predict_instances"),
        runtime=minutes("predict_instances"),
        gpu=int(ON_GPU),
    params:
        device=config["device"],
        code=lambda w: digest("predict_instances", instance_method(w)),
        plugins=lambda w: needed_plugins("predict_instances", instance_method(w)),
    shell:
        call("predict_instances")


rule evaluate_instances:
    input:
        predictions=paths.predictions(*INSTANCE_NETWORK, "{tested_variant}"),
        instances=paths.instances("{dataset}"),
        manifest=paths.manifest("{dataset}", "{tested_variant}"),
    output:
        output=paths.scores(*INSTANCE_NETWORK, "{tested_variant}"),
        matches=paths.scores(*INSTANCE_NETWORK, "{tested_variant}", ".matches.npz"),
        stamp=paths.stamp("evaluate_instances", *INSTANCE_NETWORK, "{tested_variant}"),
    log:
        paths.log("evaluate_instances", *INSTANCE_NETWORK, "{tested_variant}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("evaluate_instances"),
        runtime=minutes("evaluate_instances"),
    params:
        spec=instance_protocol,
        labels=lambda w: as_json(
            {
                "dataset": w.dataset,
                "model": w.instance_model,
                **run_labels(w.run),
                "train": w.scene_variant,
                "tested": w.tested_variant,
            }
        ),
        code=lambda w: digest("evaluate_instances"),
    shell:
        call("evaluate_instances")
