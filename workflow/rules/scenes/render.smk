# Street scenes drawn in the layout of a dataset with instances.


rule render_scenes:
    output:
        output=directory(paths.rendered("{dataset}")),
        stamp=paths.stamp("render_scenes", "{dataset}"),
    log:
        paths.log("render_scenes", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(DRAWN_SCENES) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("render_scenes"),
        runtime=minutes("render_scenes"),
    params:
        spec=lambda w: as_json(DATASET_ENTRIES[w.dataset]["render"]),
        code=lambda w: digest("render_scenes"),
    shell:
        call("render_scenes")
