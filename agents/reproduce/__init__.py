"""The claims of the paper as pre-registered comparisons: described, run, measured, judged."""
