# Helpers of the rules about whole pictures: what belongs to the stored copy of a variant. No rule here.


def stored_variant(stored):
    """The variant of a stored name, such as that of `protected-seed0`."""
    return entries.of_stored(config, stored)[0]


def stored_split(stored):
    """The number of the split on which a copy's generator was trained; empty where it has none of its own."""
    return run_labels(entries.of_stored(config, stored)[1]).get("split", "")


def stored_labels(dataset, stored):
    """What a copy's measurements are labelled with."""
    variant, run = entries.of_stored(config, stored)
    return {"dataset": dataset, "variant": variant, **run_labels(run)}


def source_of(stored):
    """The stored name of what a copy is made of: the originals, or the files of another variant."""
    variant, run = entries.of_stored(config, stored)
    return entries.stored(config, config["variants"][variant].get("of", "original"), run)


def source_manifest(dataset, stored):
    return paths.manifest(dataset, source_of(stored))


def source_images(dataset, stored):
    return image_folder(dataset, source_of(stored))


def stored_weights(wildcards):
    """The generator of a learned variant; nothing for one without."""
    variant, run = entries.of_stored(config, wildcards.stored)
    return key_of(wildcards.dataset, variant, run) if run else []


def recovered_warning(dataset, stored):
    """What is to be said of a copy in which hidden people are recovered; "" for others, and for people who are drawn."""
    recovers = "of" in config["variants"][stored_variant(stored)]
    return entries.people_warning(config, dataset) if recovers else ""


def stored_entry(stored):
    """What a copy is. A learned one has the size of the pictures with which its training begins."""
    variant = stored_variant(stored)
    entry, size = variant_entry(variant), entries.picture_size(config, variant)
    learned = entries.training_of(config, variant) is not None and "of" not in entry
    return {**entry, "resize": list(size)} if learned and size else entry
