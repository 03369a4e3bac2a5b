"""The compared flows as a Django application, which viewflow wants them to be."""
