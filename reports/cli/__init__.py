"""The commands of `python -m reports`, one a module: `add` names its arguments and what it does."""
