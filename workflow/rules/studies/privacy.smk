# Study 4, what each way of hiding people protects: faces cut out of every copy, recognizers, attacks.


ruleorder: cut_faces > anonymize > anonymize_whole


rule cut_faces:
    input:
        manifest=lambda w: paths.manifest(cut_of(w)["of"], w.cut),
        root=lambda w: image_folder(cut_of(w)["of"], w.cut),
        originals=lambda w: paths.manifest(cut_of(w)["of"]),
        detections=lambda w: paths.detections(cut_of(w)["of"], cut_of(w)["detector"]),
    output:
        output=directory(paths.images("{dataset}", "{cut}")),
        output_manifest=paths.manifest("{dataset}", "{cut}"),
        stamp=paths.stamp("cut_faces", "{dataset}", "{cut}"),
    log:
        paths.log("cut_faces", "{dataset}", "{cut}"),
    wildcard_constraints:
        dataset=any_of(CUT) or "none",
        cut=any_stored(["original", *(set(config["variants"]) - set(RESTORED))]),
    conda:
        "../../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("cut_faces"),
        runtime=minutes("cut_faces"),
    params:
        spec=lambda w: as_json(cut_of(w)),
        code=lambda w: digest("cut_faces"),
    shell:
        call("cut_faces")


rule recognize:
    input:
        manifest=lambda w: stored_manifest(w.dataset, w.any_variant, w.run),
        root=lambda w: stored_images(w.dataset, w.any_variant, w.run),
    output:
        output=paths.features("{dataset}", "{recognizer}", privacy.SHIPPED, "{run}", "{any_variant}"),
        stamp=paths.stamp("recognize", "{dataset}", "{recognizer}", "{run}", "{any_variant}"),
    log:
        paths.log("recognize", "{dataset}", "{recognizer}", "{run}", "{any_variant}"),
    wildcard_constraints:
        recognizer=any_of(config["recognizers"]) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("recognize"),
        runtime=minutes("recognize"),
    params:
        spec=lambda w: as_json(config["recognizers"][w.recognizer]),
        code=lambda w: digest("recognize", config["recognizers"][w.recognizer]["method"]),
        plugins=lambda w: needed_plugins("recognize", config["recognizers"][w.recognizer]["method"]),
    shell:
        call("recognize")


rule attack:
    input:
        probes=lambda w: attack_of(w).probes,
        gallery=lambda w: attack_of(w).gallery,
        manifest=lambda w: attack_of(w).manifest,
        people=lambda w: attack_of(w).people,
        truth=truth_of,
    output:
        output=paths.attack(*ATTACKED),
        trials=paths.attack(*ATTACKED, suffix=".trials.csv"),
        stamp=paths.stamp("attack", *ATTACKED),
    log:
        paths.log("attack", *ATTACKED),
    wildcard_constraints:
        attack=any_of(BY_SEARCH) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("attack"),
        runtime=minutes("attack"),
    params:
        spec=attack_spec,
        labels=attack_labels,
        resamples=config["privacy_statistics"]["resamples"],
        code=lambda w: digest("attack", ATTACKS[w.attack]["method"]),
        plugins=lambda w: needed_plugins("attack", ATTACKS[w.attack]["method"]),
    shell:
        call("attack", without=["seed"])
