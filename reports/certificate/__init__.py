"""The certificate of a run: a signed statement of its results and of every file that they rest on."""
