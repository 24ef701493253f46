# How good the detectors are: held against the truth where it is known, and one table of all of them.


rule evaluate_detector:
    input:
        detections="results/detections/{dataset}/{detector}.csv",
        truth=lambda w: face_images_folder(w.dataset) if w.dataset in FACE_IMAGES else raw_folder(w.dataset),
    output:
        output="results/detection_metrics/{dataset}/{detector}.json",
        groups="results/detection_metrics/{dataset}/{detector}.groups.csv",
        curve="results/detection_metrics/{dataset}/{detector}.curve.csv",
        figure="results/detection_metrics/{dataset}/{detector}.svg",
        png="results/detection_metrics/{dataset}/{detector}.png",
        stamp="results/stamps/evaluate_detector/{dataset}/{detector}.json",
    log:
        "logs/evaluate_detector/{dataset}/{detector}.log",
    wildcard_constraints:
        dataset=any_of(WITH_TRUTH) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("evaluate_detector"),
        runtime=minutes("evaluate_detector"),
    params:
        labels=lambda w: json.dumps(
            {"dataset": w.dataset, "detector": w.detector, "data": data_label([w.dataset])}, ensure_ascii=False
        ),
        heights=STATISTICS["face_heights_px"],
        confidence=STATISTICS["confidence"],
        code=lambda w: digest("evaluate_detector"),
    shell:
        call("evaluate_detector", without=["iou"])


rule detection:
    input:
        boxes=[row["detections"] for row in DETECTION_ROWS],
        metrics=[row["metrics"] for row in DETECTION_ROWS if row["metrics"]],
        audits=[row["audit"] for row in DETECTION_ROWS if row["audit"]],
    output:
        csv="results/tables/detection.csv",
        readable="results/tables/detection.md",
        stamp="results/stamps/detection.json",
    log:
        "logs/detection.log",
    benchmark:
        "results/benchmarks/detection.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("detection"),
        runtime=minutes("detection"),
    params:
        # The stamps of the detections tell their speed. They are no inputs: a detection that took another time makes
        # nothing stale.
        spec=json.dumps(DETECTION_ROWS),
        label=data_label([row["dataset"] for row in DETECTION_ROWS]),
        code=lambda w: code_digest("anonbench.stages.detection"),
    shell:
        "anonbench detection --spec {params.spec:q} --label {params.label:q} --output {output.csv}"
        " --stamp {output.stamp} --code {params.code} > {log} 2>&1"
