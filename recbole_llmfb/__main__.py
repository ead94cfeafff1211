"""`python -m recbole_llmfb` is the command line."""

from recbole_llmfb.cli import main

if __name__ == "__main__":
    main()
