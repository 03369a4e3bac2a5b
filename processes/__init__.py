"""The verbs: one module a flow, and the ports to the outside that flows speak through."""
