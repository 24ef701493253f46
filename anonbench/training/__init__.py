"""One training engine for every model: data in memory, augmentation on the device, resume after a kill."""
