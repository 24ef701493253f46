# Tables of any study, and the table of detectors. What a table is made of is asked of its kind: `rows:` in its entry.


rule table:
    input:
        files=lambda w: table_files(w.table),
    output:
        output=captioned(paths.table("{table}"), "table", "Tables", table="{table}"),
        beside=multiext(paths.table("{table}", ""), ".md", ".tex", ".json", ".runs.csv", ".compare.csv"),
        stamp=paths.stamp("table", "{table}"),
    log:
        paths.log("table", "{table}"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("table"),
        runtime=minutes("table"),
    params:
        roles=lambda w: table_roles(w.table),
        name=lambda w: w.table,
        spec=lambda w: as_json(table_spec(w.table)),
        label=lambda w: table_label(w.table),
        plugins=lambda w: table_plugins(w.table),
        code=lambda w: table_digest(w.table),
    shell:
        call("table")


rule detection:
    input:
        detections=detection_files(paths.detections),
        metrics=detection_files(paths.detection_metrics, ANNOTATED),
        audits=detection_files(paths.audit_report, AUDITED),
    output:
        output=captioned(paths.table("detection"), "detection", "Detectors", table="all detectors"),
        beside=paths.table("detection", ".md"),
        stamp=paths.stamp("detection"),
    log:
        paths.log("detection"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("detection"),
        runtime=minutes("detection"),
    params:
        rows=lambda w: as_json(with_scales(detection_rows())),
        label=data_label([row["dataset"] for row in detection_rows()]),
        code=lambda w: digest("detection"),
    shell:
        call("detection")
