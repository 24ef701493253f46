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


rule infer_members:
    input:
        checkpoint=lambda w: paths.checkpoint(w.dataset, ATTACKS[w.attack]["model"], w.any_variant, w.run),
        manifest=paths.manifest("{dataset}"),
        root=lambda w: image_folder(w.dataset, "original"),
    output:
        output=paths.attack(*ATTACKED),
        trials=paths.attack(*ATTACKED, suffix=".trials.csv"),
        stamp=paths.stamp("infer_members", *ATTACKED),
    log:
        paths.log("infer_members", *ATTACKED),
    wildcard_constraints:
        attack=any_of(set(ATTACKS) - set(BY_SEARCH)) or "none",
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("infer_members"),
        runtime=minutes("infer_members"),
        gpu=int(ON_GPU),
    params:
        spec=attack_spec,
        labels=lambda w: attack_labels(w, whole=True),
        resamples=config["privacy_statistics"]["resamples"],
        device=config["device"],
        code=lambda w: digest("infer_members", ATTACKS[w.attack]["method"]),
        plugins=lambda w: needed_plugins("infer_members", ATTACKS[w.attack]["method"]),
    shell:
        call("infer_members", without=["batch_size", "seed"])


rule figure_tradeoff:
    input:
        table=paths.table("{table}"),
    output:
        output=captioned(paths.figure("privacy_{table}"), "figure_tradeoff", "Study 4", figure="{table}"),
        png=paths.figure("privacy_{table}", ".png"),
        stamp=paths.stamp("figure_tradeoff", "{table}"),
    log:
        paths.log("figure_tradeoff", "{table}"),
    wildcard_constraints:
        table=any_of(privacy.tables(config, "tradeoff")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_tradeoff"),
        runtime=minutes("figure_tradeoff"),
    params:
        curves=lambda w: as_json(config["tables"][w.table]["curves"]),
        label=lambda w: data_label([config["tables"][w.table]["dataset"]]),
        code=lambda w: digest("figure_tradeoff"),
    shell:
        call("figure_tradeoff")


rule figure_restored:
    input:
        trials=lambda w: restored_of(w).trials,
        manifests=lambda w: restored_of(w).manifests,
        roots=lambda w: [image_folder(restored_of(w).dataset, name) for name in restored_of(w).stored],
    output:
        output=captioned(privacy.restored_path("{figure}"), "figure_restored", "Study 4", figure="restored {figure}"),
        png=privacy.restored_path("{figure}", ".png"),
        stamp=paths.stamp("figure_restored", "{figure}"),
    log:
        paths.log("figure_restored", "{figure}"),
    wildcard_constraints:
        figure=any_of(config["privacy_figures"]["restored"]) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_restored"),
        runtime=minutes("figure_restored"),
    params:
        faces=lambda w: restored_of(w).faces,
        attack=lambda w: restored_of(w).attack,
        title=lambda w: restored_of(w).title,
        label=lambda w: data_label([restored_of(w).dataset]),
        warning=lambda w: restored_of(w).warning,
        code=lambda w: digest("figure_restored"),
    shell:
        call("figure_restored", without=["seed"])


rule privacy_page:
    input:
        risks=paths.table(PAGE_TABLE),
        runs=paths.table(PAGE_TABLE, ".runs.csv"),
    output:
        output=captioned(paths.statistics("privacy", ".md"), "privacy_page", "Study 4", statistics="in words"),
        stamp=paths.stamp("privacy_page"),
    log:
        paths.log("privacy_page"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("privacy_page"),
        runtime=minutes("privacy_page"),
    params:
        attacks=as_json({name: ATTACKS[name] for name in PAGE.get("attacks", [])}),
        label=data_label([PAGE["dataset"]] if PAGE else []),
        code=lambda w: digest("privacy_page"),
    shell:
        call("privacy_page")
