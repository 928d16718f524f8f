"""The server: SPARQL protocol and pages over an engine."""
