"""Where two labs answer differently, by transcripts that runs of the suite wrote (docs/transcripts.md)."""
