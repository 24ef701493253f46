# What is hidden in pictures of scenes (datasets with instances): people's bodies, and faces that belong to people.


rule estimate_pose:
    input:
        manifest=paths.manifest("{dataset}"),
        root=original_root,
        instances=paths.instances("{dataset}"),
    output:
        output=paths.poses("{dataset}"),
        stamp=paths.stamp("estimate_pose", "{dataset}"),
    log:
        paths.log("estimate_pose", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("estimate_pose"),
        runtime=minutes("estimate_pose"),
    params:
        code=lambda w: digest("estimate_pose"),
    shell:
        call("estimate_pose", without=["least_confidence"])


rule bodies:
    input:
        manifest=paths.manifest("{dataset}"),
        instances=lambda w: entries.people_file(config, w.dataset, w.detector),
    output:
        output=paths.detections("{dataset}", "{detector}"),
        stamp=paths.stamp("bodies", "{dataset}", "{detector}"),
    log:
        paths.log("bodies", "{dataset}", "{detector}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
        detector=any_of(entries.detectors_by(config, entries.BODIES)) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("bodies"),
        runtime=minutes("bodies"),
    params:
        spec=lambda w: as_json(detector_entry(w.detector)),
        code=lambda w: digest("bodies", config["detectors"][w.detector]["method"]),
        plugins=lambda w: needed_plugins("bodies", config["detectors"][w.detector]["method"]),
    shell:
        call("bodies")


rule match_faces:
    input:
        manifest=paths.manifest("{dataset}"),
        detections=lambda w: paths.detections(w.dataset, *entries.members(config, w.detector)),
        instances=paths.instances("{dataset}"),
    output:
        output=paths.detections("{dataset}", "{detector}"),
        stamp=paths.stamp("match_faces", "{dataset}", "{detector}"),
    log:
        paths.log("match_faces", "{dataset}", "{detector}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
        detector=any_of(entries.detectors_by(config, entries.MATCHED_FACES)) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("match_faces"),
        runtime=minutes("match_faces"),
    params:
        spec=lambda w: as_json(detector_entry(w.detector)),
        code=lambda w: digest("match_faces", config["detectors"][w.detector]["method"]),
        plugins=lambda w: needed_plugins("match_faces", config["detectors"][w.detector]["method"]),
    shell:
        call("match_faces")


rule left_visible:
    input:
        manifest=paths.manifest("{dataset}"),
        instances=paths.instances("{dataset}"),
        detections=paths.detections("{dataset}", "{detector}"),
    output:
        output=paths.left_visible("{dataset}", "{detector}"),
        stamp=paths.stamp("left_visible", "{dataset}", "{detector}"),
    log:
        paths.log("left_visible", "{dataset}", "{detector}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("left_visible"),
        runtime=minutes("left_visible"),
    params:
        labels=lambda w: as_json({"dataset": w.dataset, "detector": w.detector}),
        confidence=config["statistics"]["confidence"],
        code=lambda w: digest("left_visible"),
    shell:
        call("left_visible", without=["categories", "areas"])
