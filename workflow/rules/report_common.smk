# Helpers of report.smk: a table's kind answers. No rule here.
from anonbench.ops.catalog import plugin_module
from anonbench.studies.kinds import kind_of, kinds_of, study_of


def table_entry(table):
    return config["tables"][table]


def table_inputs(table):
    """Role -> files."""
    return kind_of(table_entry(table)).inputs(config, table_entry(table))


def table_files(table):
    return [file for files in table_inputs(table).values() for file in files]


def table_roles(table):
    """What each of its files is."""
    return [role for role, files in table_inputs(table).items() for _ in files]


def table_spec(table):
    return kind_of(table_entry(table)).spec(config, table_entry(table))


def table_label(table):
    return data_label(kind_of(table_entry(table)).datasets(config, table_entry(table)))


def kind_module(table):
    """The module of a table's kind, of which its digest depends."""
    return plugin_module(kinds_of(study_of(table_entry(table))), table_entry(table)["rows"])


def table_plugins(table):
    """The outside module of a table's kind, as a list."""
    source = kind_module(table)
    return as_json([] if source.startswith("anonbench.") else [source])


def table_digest(table):
    return code_digest(*digest_modules("table"), kind_module(table))
