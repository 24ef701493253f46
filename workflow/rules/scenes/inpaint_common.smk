# Helpers of inpaint.smk. No rule here.
INPAINTERS = config["inpainters"]


def shown_people(dataset, entry):
    """What the samples of an inpainter may show."""
    if entries.is_rendered(config, dataset):
        return "drawn"
    return "real" if entry.get("real_people") else "withheld"
