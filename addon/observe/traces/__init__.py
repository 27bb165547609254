"""Traces: each exchange as a tree of OpenTelemetry's spans, sent to a collector."""
