"""The monitor's own windows: metrics, health and the status page, answered from memory."""
