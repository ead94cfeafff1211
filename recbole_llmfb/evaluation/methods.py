"""Names of what is compared, as they stand in records and tables."""

OURS = "LLMFB"
TEXT_ALONE, COLLABORATIVE_ALONE, POPULARITY = "LLMFB, text alone", "LLMFB, collaborative alone", "popularity"
