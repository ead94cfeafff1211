"""What learning from feedback is worth, on a public data set in slices of time: `recbole-llmfb benchmark-learning`."""
