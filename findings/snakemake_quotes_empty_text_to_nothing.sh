#!/usr/bin/env bash
# `{params.text:q}` in a rule's `shell:` quotes a value for the shell. One expects of an empty text what Python's
# `shlex.quote("")` and bash's `printf %q` give: '' or "", one empty argument.
#
# What happens: it becomes nothing at all. The command gets one argument less, and an option before it takes the next word
# for its value: `tool --note {params.note:q} --output out.txt` runs as `tool --note --output out.txt`. With a list the
# empty elements vanish from the middle. Snakemake says nothing, and the printed command looks harmless.
#
# Why it matters: rules that hand settings to command lines lose an option exactly where a setting is empty (no comment, no
# suffix, an empty default), in one job among many. Give such options a word that means empty, or leave them out together
# with their flag.
#
# Seen with snakemake 9.27.1: the tool below gets 4 arguments with a note and 3 without.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet snakemake==9.27.1
cd "$folder"
cat > Snakefile <<'RULES'
NOTES = {"with": "a b", "without": ""}

rule all:
    input: expand("{name}.txt", name=NOTES)

rule count:
    output: "{name}.txt"
    params:
        note=lambda w: NOTES[w.name],
        several=lambda w: ["x", NOTES[w.name], "y"],
    shell:
        "set -- --note {params.note:q} --output {output:q}; "
        "one=$#; set -- {params.several:q}; echo $one $# > {output:q}"
RULES
venv/bin/snakemake --cores 1 --quiet all 2> log.txt || { cat log.txt; exit 1; }
with=$(cat with.txt)
without=$(cat without.txt)
python=$(venv/bin/python -c 'import shlex; print(shlex.quote(""))')
echo "arguments and elements with a note: $with; with an empty one: $without; shlex.quote of it: $python"
[ "$with" = "4 3" ] && [ "$without" = "3 2" ] && [ "$python" = "''" ]
