"""The operators' console, in Streamlit. It asks the service through the package's client; beside that it reads the results of
benchmarks from their folder (Models), and a mounted one signs out at the service's own address (`frame`)."""
