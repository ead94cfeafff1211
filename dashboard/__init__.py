"""The operators' console, in Streamlit: it talks to the service through the package's client, and through nothing else."""
