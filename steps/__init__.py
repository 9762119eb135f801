"""The words of the features, each bound to a capability in a line or three."""
