"""Reports: one HTML file per run or evaluation, with nothing to load from elsewhere."""
