# Datasets of scenes: their annotations in one form.


rule index_instances:
    input:
        manifest=paths.manifest("{dataset}"),
        root=original_root,
    output:
        output=paths.instances("{dataset}"),
        stamp=paths.stamp("index_instances", "{dataset}"),
    log:
        paths.log("index_instances", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(name for name in DATASET_ENTRIES if entries.is_scene(config, name)) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: lambda w: 1 if DATASET_ENTRIES[w.dataset]["format"] == "coco" else WORKERS  # its annotations are one file
    resources:
        mem_mb=memory_mb("index_instances"),
        runtime=minutes("index_instances"),
    params:
        spec=lambda w: as_json({"format": DATASET_ENTRIES[w.dataset]["format"]}),
        code=lambda w: digest("index_instances", DATASET_ENTRIES[w.dataset]["format"]),
        plugins=lambda w: needed_plugins("index_instances", DATASET_ENTRIES[w.dataset]["format"]),
    shell:
        call("index_instances")
